#include "connectors/postgres/replication_session.h"

#include <poll.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "connectors/postgres/libpq_handles.h"
#include "connectors/postgres/replication_connect.h"
#include "connectors/postgres/replication_wire.h"
#include "connectors/postgres/sql_session.h"
#include "connectors/postgres/timeline_history.h"

namespace relay::connectors::postgres {
namespace {

constexpr Millis kAnswerLimit{20'000};     // of a command that has nothing to wait for
constexpr Millis kCreationNotice{10'000};  // how often the wait for open transactions is logged

Error result_error(const PGresult* result, std::string_view attempted) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text ? text : "");
  };
  auto message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = PQresultErrorMessage(result);
  if (const auto detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += "; " + detail;
  return classify_sqlstate(field(PG_DIAG_SQLSTATE), message, attempted);
}

std::string cell(const PGresult* result, int column) {
  if (PQntuples(result) < 1 || PQnfields(result) <= column) return {};
  return {PQgetvalue(result, 0, column), static_cast<std::size_t>(PQgetlength(result, 0, column))};
}

// A string for the replication grammar, which knows no escapes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
  return out + '\'';
}

}  // namespace

class ReplicationSession::Impl {
 public:
  explicit Impl(PqConnection connection) : connection_(std::move(connection)) {
    PQsetNoticeReceiver(connection_.get(), &Impl::notice, &publication_skipped_);
  }

  PGconn* get() const { return connection_.get(); }

  // One simple-protocol command and its first result. `idle` is called about every second while waiting.
  template <typename Idle>
  Result<PqResult> command(const std::string& text, std::string_view attempted, std::optional<Millis> limit,
                           Idle idle) {
    if (!PQsendQuery(get(), text.c_str())) return fail(lost(attempted));
    const auto began = system_clock().now();
    while (PQflush(get()) > 0 || PQisBusy(get())) {
      const auto waited = std::chrono::duration_cast<Millis>(system_clock().now() - began);
      if (limit && waited > *limit)
        return fail(ErrorKind::transient, "connection_lost",
                    "could not " + std::string(attempted) + ": the server did not answer within " +
                        std::to_string(limit->count() / 1000) + " s");
      RELAY_TRY(idle(waited));
      if (!PQconsumeInput(get())) return fail(lost(attempted));
    }
    PqResult result(PQgetResult(get()));
    if (!result) return fail(lost(attempted));
    const auto status = PQresultStatus(result.get());
    // An error too is followed by the end of the command, without which the next one is refused.
    if (status != PGRES_COPY_BOTH)
      while (PqResult rest{PQgetResult(get())}) {
      }
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || status == PGRES_NONFATAL_ERROR)
      return fail(result_error(result.get(), attempted));
    return result;
  }

  Result<PqResult> command(const std::string& text, std::string_view attempted) {
    return command(text, attempted, kAnswerLimit, [&](Millis) -> Result<void> {
      wait(nullptr, Millis{1'000});
      return {};
    });
  }

  void wait(Waker* waker, Millis most) const {
    const auto events = static_cast<short>(POLLIN | (PQflush(get()) > 0 ? POLLOUT : 0));
    pollfd fds[2] = {{PQsocket(get()), events, 0}, {waker ? waker->fd() : -1, POLLIN, 0}};
    if (::poll(fds, 2, static_cast<int>(most.count())) > 0 && waker && fds[1].revents) waker->clear();
  }

  Result<Received> receive(std::string_view& message) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      char* bytes = nullptr;
      buffer_.reset();
      const int n = PQgetCopyData(get(), &bytes, 1);
      buffer_.reset(bytes);
      if (n > 0) {
        message = {bytes, static_cast<std::size_t>(n)};
        return Received::message;
      }
      if (n < 0) return fail(ended());
      if (attempt == 0 && !PQconsumeInput(get())) return fail(ended());
    }
    return Received::would_block;
  }

  Result<void> flush() {
    const int left = PQflush(get());
    if (left < 0) return fail(lost("answer the server"));
    wants_write_ = left > 0;
    return {};
  }
  bool wants_write() const { return wants_write_; }
  bool publication_skipped() const { return publication_skipped_; }

  Error lost(std::string_view attempted) const { return classify_sqlstate("08006", PQerrorMessage(get()), attempted); }

  void finish(Millis bound) noexcept {
    if (PQputCopyEnd(get(), nullptr) < 0) return;
    const auto until = system_clock().now() + bound;
    std::string_view ignored;
    while (receive_ignoring(ignored)) {
      const auto left = std::chrono::ceil<Millis>(until - system_clock().now());
      if (left <= Millis{0}) return;
      wait(nullptr, left);
    }
  }

 private:
  // Identified by what no translation of messages changes: a warning with this SQLSTATE, while changes are decoded.
  static void notice(void* skipped, const PGresult* result) {
    const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (severity && state && std::strcmp(severity, "WARNING") == 0 && std::strcmp(state, "55000") == 0)
      *static_cast<bool*>(skipped) = true;
  }

  // Why the stream is over.
  Error ended() {
    const std::string_view attempted = "read the replication stream";
    PqResult result(PQgetResult(get()));
    if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR &&
        PQresultErrorField(result.get(), PG_DIAG_SQLSTATE))
      return result_error(result.get(), attempted);
    if (result && PQstatus(get()) == CONNECTION_OK)
      return Error{ErrorKind::transient, "database_shutting_down",
                   "could not read the replication stream: the server ended it, as it does when it shuts down", ""};
    return lost(attempted);
  }

  // True while the server may still be sending.
  bool receive_ignoring(std::string_view& message) noexcept {
    for (;;) {
      char* bytes = nullptr;
      const int n = PQgetCopyData(get(), &bytes, 1);
      buffer_.reset(bytes);
      if (n < 0) return false;
      if (n == 0 && (PQflush(get()) < 0 || !PQconsumeInput(get()))) return false;
      if (n == 0 && PQstatus(get()) != CONNECTION_OK) return false;
      if (n == 0) return true;
      message = {};
    }
  }

  PqConnection connection_;
  PqBuffer buffer_;
  bool wants_write_ = false;
  bool publication_skipped_ = false;
};

ReplicationSession::ReplicationSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReplicationSession::~ReplicationSession() = default;

Result<std::unique_ptr<ReplicationSession>> ReplicationSession::connect(const ConnectionConfig& config,
                                                                        bool had_success) {
  RELAY_ASSIGN(auto connection, connect_for_replication(config, had_success));
  return std::unique_ptr<ReplicationSession>(new ReplicationSession(std::make_unique<Impl>(std::move(connection))));
}

Result<SystemIdentity> ReplicationSession::identify_system() {
  RELAY_ASSIGN(const auto result, impl_->command("IDENTIFY_SYSTEM", "identify the database system"));
  SystemIdentity identity;
  identity.system_identifier = cell(result.get(), 0);
  const auto timeline = cell(result.get(), 1);
  std::from_chars(timeline.data(), timeline.data() + timeline.size(), identity.timeline);
  identity.wal_end = parse_lsn(cell(result.get(), 2)).value_or(Lsn{});
  if (identity.system_identifier.empty() || identity.timeline == 0)
    return fail(ErrorKind::corrupt, "replication_message_malformed",
                "identifying the database system: the answer to IDENTIFY_SYSTEM names no system or timeline",
                "connect directly to the primary, not through a proxy");
  return identity;
}

Result<std::vector<TimelineSwitch>> ReplicationSession::timeline_history(std::uint32_t timeline) {
  if (timeline <= 1) return std::vector<TimelineSwitch>{};
  RELAY_ASSIGN(const auto result, impl_->command("TIMELINE_HISTORY " + std::to_string(timeline),
                                                 "read the history of timeline " + std::to_string(timeline)));
  return parse_timeline_history(cell(result.get(), 1));
}

Result<CreatedSlot> ReplicationSession::create_slot(const std::string& slot, bool failover, Waker& waker,
                                                    const std::atomic<bool>& given_up, const Logger& log) {
  auto next_notice = kCreationNotice;
  const auto idle = [&](Millis waited) -> Result<void> {
    impl_->wait(&waker, Millis{1'000});
    if (given_up)
      return fail(ErrorKind::transient, "creation_interrupted", "creating slot " + slot + ": interrupted while waiting",
                  "");
    if (waited < next_notice) return {};
    next_notice = waited + kCreationNotice;
    log.info("creating_slot", "the server creates the slot as soon as every transaction that is open now has ended",
             {{"slot", slot}, {"waited_s", static_cast<std::int64_t>(waited.count() / 1000)}});
    return {};
  };
  // The short form, without options, exports the snapshot on every version from 13 to 18.
  const std::string options = failover ? " (SNAPSHOT 'export', FAILOVER)" : "";
  RELAY_ASSIGN(const auto result,
               impl_->command("CREATE_REPLICATION_SLOT " + quote_identifier(slot) + " LOGICAL pgoutput" + options,
                              "create the slot " + slot, std::nullopt, idle));
  CreatedSlot created;
  created.consistent_point = parse_lsn(cell(result.get(), 1)).value_or(Lsn{});
  created.snapshot_name = cell(result.get(), 2);
  if (!created.consistent_point || created.snapshot_name.empty())
    return fail(ErrorKind::corrupt, "replication_message_malformed",
                "creating slot " + slot + ": the answer names no consistent point or snapshot",
                "connect directly to the primary, not through a proxy");
  return created;
}

Result<void> ReplicationSession::enable_failover(const std::string& slot) {
  RELAY_TRY(impl_->command("ALTER_REPLICATION_SLOT " + quote_identifier(slot) + " (FAILOVER)",
                           "have the slot " + slot + " synchronised to standbys"));
  return {};
}

Result<void> ReplicationSession::drop_slot(const std::string& slot) {
  const auto result = impl_->command("DROP_REPLICATION_SLOT " + quote_identifier(slot), "drop the slot " + slot);
  if (!result && result.error().code != "slot_missing") return fail(result.error());
  return {};
}

Result<void> ReplicationSession::start_streaming(const std::string& slot, const std::string& publication,
                                                 bool with_messages) {
  const auto command = "START_REPLICATION SLOT " + quote_identifier(slot) +
                       " LOGICAL 0/0 (proto_version '1', publication_names " + quoted(quote_identifier(publication)) +
                       (with_messages ? ", messages 'true')" : ")");
  RELAY_ASSIGN(const auto result, impl_->command(command, "read the slot " + slot));
  if (PQresultStatus(result.get()) != PGRES_COPY_BOTH)
    return fail(ErrorKind::corrupt, "replication_message_malformed",
                "reading slot " + slot + ": the server did not begin to stream",
                "connect directly to the primary, not through a proxy");
  return {};
}

Result<ReplicationSession::Received> ReplicationSession::receive(std::string_view& message) {
  return impl_->receive(message);
}

Result<void> ReplicationSession::send_status(Lsn confirmed, std::int64_t unix_micros, bool request_reply) {
  const auto update = encode_status_update(confirmed, unix_micros, request_reply);
  if (PQputCopyData(impl_->get(), update.data(), static_cast<int>(update.size())) < 0)
    return fail(impl_->lost("answer the server"));
  return impl_->flush();
}

Result<void> ReplicationSession::flush() { return impl_->flush(); }
bool ReplicationSession::wants_write() const { return impl_->wants_write(); }
bool ReplicationSession::publication_skipped() const { return impl_->publication_skipped(); }
int ReplicationSession::socket() const { return PQsocket(impl_->get()); }
int ReplicationSession::backend_pid() const { return PQbackendPID(impl_->get()); }
void ReplicationSession::finish(Millis bound) noexcept { impl_->finish(bound); }

}  // namespace relay::connectors::postgres
