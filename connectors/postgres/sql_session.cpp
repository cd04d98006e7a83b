#include "connectors/postgres/sql_session.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pqxx/pqxx>
#include <stop_token>
#include <thread>

namespace relay::connectors::postgres {

namespace {

constexpr auto kSilenceLimit = std::chrono::seconds(20);  // statement_timeout, and some time for the answer's way

// The names of the connection's settings; one round trip right after the connect, since a pooler may refuse them as
// start-up parameters. idle_session_timeout would end the canary connection of a quiet database.
std::string session_settings(int server_version) {
  std::string settings =
      "SET statement_timeout = '15s'; SET lock_timeout = '5s'; SET search_path = pg_catalog; "
      "SET default_transaction_isolation = 'read committed'; SET client_encoding = 'UTF8'; SET datestyle = 'ISO'; SET standard_conforming_strings = on";
  if (server_version >= 140000) settings += "; SET idle_session_timeout = 0";
  return settings;
}

// Shuts a socket down when a statement got no answer in time. libpqxx offers only blocking calls without a limit of
// their own; this thread is what ends them. It works on a duplicate of the descriptor, which nobody else closes.
class SilenceGuard {
 public:
  explicit SilenceGuard(int socket) : fd_(::fcntl(socket, F_DUPFD_CLOEXEC, 0)) {
    thread_ = std::jthread([this](std::stop_token stop) { watch(stop); });
    ::pthread_setname_np(thread_.native_handle(), "sql-silence");
  }
  ~SilenceGuard() {
    thread_.request_stop();
    thread_.join();
    if (fd_ >= 0) ::close(fd_);
  }
  SilenceGuard(const SilenceGuard&) = delete;
  SilenceGuard& operator=(const SilenceGuard&) = delete;

  void arm() { set(std::chrono::steady_clock::now() + limit); }
  void disarm() { set(std::nullopt); }
  bool fired() const {
    const std::lock_guard lock(mutex_);
    return fired_;
  }

  std::chrono::milliseconds limit{kSilenceLimit};  // of the thread that arms

 private:
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;

  void set(Deadline deadline) {
    const std::lock_guard lock(mutex_);
    // The thread is only woken when it sleeps without an end; otherwise it looks again when its older deadline is over.
    const bool wake = deadline && !watching_;
    deadline_ = deadline;
    if (wake) changed_.notify_one();
  }

  void watch(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      watching_ = deadline_.has_value();
      if (!watching_) {
        changed_.wait(lock, stop, [this] { return deadline_.has_value(); });
        continue;
      }
      const auto until = *deadline_;
      changed_.wait_until(lock, stop, until, [] { return false; });
      if (deadline_ && *deadline_ <= std::chrono::steady_clock::now()) {
        ::shutdown(fd_, SHUT_RDWR);
        fired_ = true;
        deadline_.reset();
      }
    }
  }

  const int fd_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Deadline deadline_;      // guarded by mutex_, as all below
  bool watching_ = false;  // the thread will look again by itself
  bool fired_ = false;
  std::jthread thread_;
};

// The first line, without libpq's "ERROR:  ": the lines after it (DETAIL, CONTEXT) may quote values of rows.
std::string first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  for (const std::string_view prefix : {"ERROR:", "FATAL:", "PANIC:"})
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  return std::string(text);
}

// The files of sql/ refuse with "[code] what was attempted: why" and a hint of their own. nullopt: it is something
// else.
std::optional<Error> our_refusal(std::string_view text, std::string_view attempted) {
  const auto first = first_line(text);
  const auto end = first.find("] ");
  if (!first.starts_with('[') || end == std::string::npos ||
      first.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", 1) != end)
    return std::nullopt;
  Error error{ErrorKind::fatal,
              first.substr(1, end - 1),
              "could not " + std::string(attempted) + ": " + first.substr(end + 2),
              {}};
  if (error.code == "lock_unavailable") error.kind = ErrorKind::transient;
  if (const auto hint = text.find("\nHINT:  "); hint != std::string_view::npos) {
    text.remove_prefix(hint + 8);
    error.hint = std::string(text.substr(0, text.find("\nCONTEXT:")));
    while (error.hint.ends_with('\n')) error.hint.pop_back();
  }
  return error;
}

Error connection_lost(std::string_view attempted, std::string_view why) {
  // libpqxx 6 stumbles over the closed connection while it words its own message.
  if (why.starts_with("Could not obtain client encoding")) why = {};
  return Error{ErrorKind::transient,
               "connection_lost",
               "could not " + std::string(attempted) + ": the connection to the database was lost" +
                   (why.empty() ? "" : ": " + first_line(why)),
               {}};
}

// The exception under way as our error. libpqxx 6 gives some SQLSTATEs by the type of the exception only.
Error translate_exception(std::string_view attempted) {
  const auto by_state = [&](std::string_view state, const std::exception& e) {
    if (auto ours = our_refusal(e.what(), attempted)) return *ours;
    return classify_sqlstate(state, first_line(e.what()), attempted);
  };
  try {
    throw;
  } catch (const pqxx::too_many_connections& e) {
    return by_state("53300", e);
  } catch (const pqxx::broken_connection& e) {
    return connection_lost(attempted, e.what());
  } catch (const pqxx::in_doubt_error& e) {
    return connection_lost(attempted, e.what());
  } catch (const pqxx::insufficient_privilege& e) {
    return by_state("42501", e);
  } catch (const pqxx::deadlock_detected& e) {
    return by_state("40P01", e);
  } catch (const pqxx::transaction_rollback& e) {
    return by_state("40001", e);
  } catch (const pqxx::sql_error& e) {
    return e.sqlstate().empty() ? connection_lost(attempted, e.what()) : by_state(e.sqlstate(), e);
  } catch (const std::exception& e) {
    return Error{ErrorKind::transient,
                 "database_error",
                 "could not " + std::string(attempted) + ": " + first_line(e.what()),
                 {}};
  }
}

#if PQXX_VERSION_MAJOR < 7
// libpqxx 6 reconnects by itself, without our settings and in the middle of a protocol that counts on the session.
void stay_closed(pqxx::connection& connection) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

// Takes the server's notices away from standard error.
class SilentNotices {
 public:
  explicit SilentNotices(pqxx::connection& connection) : handler_(connection) {}

 private:
  pqxx::quiet_errorhandler handler_;
};

pqxx::result execute(pqxx::transaction_base& tx, const std::string& sql,
                     const std::vector<std::optional<std::string>>& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return tx.exec_params(sql, pqxx::prepare::make_dynamic_params(values));
}
#else
void stay_closed(pqxx::connection&) {}

class SilentNotices {
 public:
  explicit SilentNotices(pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR > 7 || PQXX_VERSION_MINOR >= 9
    connection.set_notice_handler([](pqxx::zview) noexcept {});
#else
    handler_.emplace(connection);
#endif
  }

 private:
#if PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR < 9
  std::optional<pqxx::quiet_errorhandler> handler_;
#endif
};

pqxx::result execute(pqxx::transaction_base& tx, const std::string& sql,
                     const std::vector<std::optional<std::string>>& parameters) {
  pqxx::params values;
  for (const auto& parameter : parameters)
    if (parameter)
      values.append(*parameter);
    else
      values.append();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return tx.exec_params(sql, values);
#pragma GCC diagnostic pop
}
#endif

SqlRows rows_of(const pqxx::result& result) {
  SqlRows rows;
  rows.reserve(result.size());
  for (const auto& from : result) {
    SqlRow& row = rows.emplace_back();
    row.reserve(from.size());
    for (const auto& field : from)
      row.push_back(field.is_null() ? std::nullopt
                                    : std::optional<std::string>(std::string(field.c_str(), field.size())));
  }
  return rows;
}

}  // namespace

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string quote_literal(std::string_view text) {
  // A backslash means itself only in the E'' form whatever standard_conforming_strings says.
  const bool escaped = text.find('\\') != std::string_view::npos;
  std::string quoted = escaped ? "E'" : "'";
  for (const char c : text) quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
  return quoted + '\'';
}

std::string quote_table(std::string_view schema, std::string_view name) {
  return quote_identifier(schema) + '.' + quote_identifier(name);
}

class SqlSession::Impl {
 public:
  explicit Impl(const std::string& conninfo)
      : connection_(conninfo), notices_(connection_), silence_(connection_.sock()) {
    stay_closed(connection_);
    silence_.arm();
    pqxx::nontransaction(connection_).exec(session_settings(connection_.server_version()));
    silence_.disarm();
  }

  // Runs `work` on the live connection; whatever it throws becomes an Error.
  template <typename Work>
  auto run(std::string_view attempted, Work&& work) -> Result<decltype(work(std::declval<pqxx::connection&>()))> {
    if (!alive()) return fail(connection_lost(attempted, {}));
    silence_.arm();
    try {
      auto result = work(connection_);
      silence_.disarm();
      return result;
    } catch (...) {
      silence_.disarm();
      if (silence_.fired())
        return fail(connection_lost(attempted, "the server did not answer for " +
                                                   std::to_string(silence_.limit.count() / 1000) + " seconds"));
      return fail(translate_exception(attempted));
    }
  }

  bool alive() const {
    // The server's good-bye and the end of the stream after it are two reads.
    while (connection_.is_open()) {
      pollfd socket{connection_.sock(), POLLIN, 0};
      if (::poll(&socket, 1, 0) <= 0) return true;
      try {
        connection_.get_notifs();
      } catch (const std::exception&) {
        return false;
      }
    }
    return false;
  }

  const pqxx::connection& connection() const { return connection_; }
  void limit_silence(Millis limit) { silence_.limit = limit; }

 private:
  mutable pqxx::connection connection_;  // looking at what arrived unasked is no change that anybody sees
  SilentNotices notices_;
  SilenceGuard silence_;
};

SqlSession::SqlSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqlSession::~SqlSession() = default;

Result<std::unique_ptr<SqlSession>> SqlSession::connect(const ConnectionConfig& config, bool had_success) {
  const std::string attempted = "connect to the database " + describe_target(config);
  RELAY_ASSIGN(const auto parameters, connection_parameters(config, ConnectionUse::sql));
  try {
    return std::unique_ptr<SqlSession>(new SqlSession(std::make_unique<Impl>(parameters.conninfo().reveal())));
  } catch (const pqxx::sql_error& e) {
    return fail(classify_sqlstate(e.sqlstate(), first_line(e.what()), attempted));
  } catch (const std::exception& e) {
    return fail(classify_connect_failure(e.what(), attempted, had_success));
  }
}

Result<SqlRows> SqlSession::query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters,
                                  std::string_view attempted) {
  return impl_->run(attempted, [&](pqxx::connection& connection) {
    pqxx::nontransaction tx(connection);
    return rows_of(execute(tx, sql, parameters));
  });
}

Result<void> SqlSession::transaction(const std::vector<std::string>& statements, std::string_view attempted) {
  const auto done = impl_->run(attempted, [&](pqxx::connection& connection) {
    pqxx::work tx(connection);
    for (const auto& statement : statements) tx.exec(statement);
    tx.commit();
    return true;
  });
  if (!done) return fail(done.error());
  return {};
}

Result<void> SqlSession::script(const std::string& text, std::string_view attempted) {
  const auto done = impl_->run(attempted, [&](pqxx::connection& connection) {
    pqxx::nontransaction(connection).exec(text);
    return true;
  });
  if (done) return {};
  // A statement that failed between BEGIN and COMMIT leaves the session inside the failed transaction.
  (void)impl_->run("roll back", [&](pqxx::connection& connection) {
    pqxx::nontransaction(connection).exec("ROLLBACK");
    return true;
  });
  return fail(done.error());
}

std::string SqlSession::quote_identifier(std::string_view name) const { return postgres::quote_identifier(name); }
std::string SqlSession::quote_literal(std::string_view text) const { return postgres::quote_literal(text); }
int SqlSession::server_version() const { return impl_->connection().server_version(); }
int SqlSession::backend_pid() const { return impl_->connection().backendpid(); }
int SqlSession::socket() const { return impl_->connection().sock(); }
void SqlSession::limit_silence(Millis limit) { impl_->limit_silence(limit); }
bool SqlSession::alive() const { return impl_->alive(); }

}  // namespace relay::connectors::postgres
