// The one place where libpq's messages and the server's SQLSTATEs become our errors.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "connectors/postgres/connection.h"

namespace relay::connectors::postgres {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](auto part) { return has(text, part); });
}

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
}

// With verbosity "verbose", libpq writes "FATAL:  28P01: password authentication failed ...", whatever the language.
std::optional<std::string> sqlstate_in(std::string_view message) {
  for (std::size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    const auto rest = message.substr(at + 3);
    if (rest.size() > 7 && is_sqlstate(rest.substr(0, 5)) && rest[5] == ':') return std::string(rest.substr(0, 5));
  }
  return std::nullopt;
}

// What the server says without SQLSTATE, for libraries that do not pass it on (English servers).
std::string sqlstate_by_words(std::string_view m) {
  struct Words {
    const char* sqlstate;
    std::string_view words;
  };
  static constexpr std::array<Words, 18> kWords{{
      {"28P01", "password authentication failed"},
      {"28P01", "no password supplied"},
      {"28000", "no pg_hba.conf entry"},
      {"28000", "pg_hba.conf rejects"},
      {"28000", "authentication failed"},
      {"28000", "is not permitted to log in"},
      {"42501", "replication role to start walsender"},
      {"42501", "permission denied to start WAL sender"},
      {"42501", "permission denied for database"},
      {"57P03", "the database system is"},
      {"57P01", "terminating connection due to administrator command"},
      {"57P02", "terminating connection because of crash"},
      {"53300", "too many clients already"},
      {"53300", "remaining connection slots are reserved"},
      {"53300", "too many connections"},
      {"53300", "exceeds max_wal_senders"},
      {"08P01", "unsupported startup parameter"},
      {"08P01", "unrecognized configuration parameter"},
  }};
  for (const auto& [sqlstate, words] : kWords)
    if (has(m, words)) return sqlstate;
  if (has(m, "does not exist")) return has(m, "role \"") ? "28000" : has(m, "database \"") ? "3D000" : "";
  return "";
}

// The lines of a libpq message that say something, as one sentence: no SQLSTATE, no severity, no source location.
std::string readable(std::string_view message) {
  std::string out;
  while (!message.empty()) {
    const auto end = std::min(message.find('\n'), message.size());
    auto line = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
    if (line.empty() || line.starts_with("LOCATION:")) continue;
    if (!out.empty()) out += "; ";
    out += line;
  }
  if (const auto state = sqlstate_in(out)) out.erase(out.find(*state + ":"), 7);
  return out;
}

Error make(ErrorKind kind, std::string code, std::string_view attempted, std::string_view why, std::string hint) {
  return Error{kind, std::move(code), "could not " + std::string(attempted) + ": " + readable(why), std::move(hint)};
}

bool about_tls(std::string_view m) {
  if (has_any(m, {"SSL SYSCALL error", "SSL connection has been closed unexpectedly"})) return false;
  return has_any(m, {"SSL", "TLS", "certificate", "private key", "tls "});
}

// States that mean the same whatever was attempted. `fatal_before_success` is what authentication failures are.
std::optional<Error> common_state(std::string_view state, std::string_view m, std::string_view attempted,
                                  ErrorKind fatal_before_success) {
  const auto transient = ErrorKind::transient;
  if (state == "57P03" && has_any(m, {"starting up", "recovery", "not yet accepting", "not accepting"}))
    return make(transient, "database_starting", attempted, m, "");
  if (state == "57P01" || state == "57P02" || state == "57P03")
    return make(transient, "database_shutting_down", attempted, m, "");
  if (state == "53300" && has(m, "max_wal_senders"))
    return make(transient, "too_many_wal_senders", attempted, m,
                "raise max_wal_senders on the server (needs a restart), or stop another replication client");
  if (state == "53300")
    return make(transient, "too_many_connections", attempted, m,
                "raise max_connections, or the connection limit of the role or database; the relay needs two to four "
                "connections a pipeline");
  if (state == "42501" && has_any(m, {"walsender", "WAL sender"}))
    return make(ErrorKind::fatal, "role_without_replication", attempted, m,
                "as a superuser: ALTER ROLE \"<the relay's role>\" WITH REPLICATION;");
  if (state == "28P01" || state == "28000")
    return make(fatal_before_success, "auth_failed", attempted, m,
                "check user and password (database.url, database.password_file) and the server's pg_hba.conf");
  if (state == "3D000")
    return make(ErrorKind::fatal, "database_unknown", attempted, m, "correct the database name in database.url");
  if (state == "08P01" && has_any(m, {"startup parameter", "configuration parameter"}))
    return make(ErrorKind::fatal, "pooler_in_between", attempted, m,
                "connect directly to the primary, not through PgBouncer or another pooler: set database.url");
  return std::nullopt;
}

}  // namespace

Error classify_connect_failure(std::string_view libpq_message, std::string_view attempted, bool had_success) {
  const auto first_time = had_success ? ErrorKind::transient : ErrorKind::fatal;
  const auto m = libpq_message;
  auto state = sqlstate_in(m).value_or("");
  if (state.empty()) state = sqlstate_by_words(m);
  // "no pg_hba.conf entry ... SSL off" comes after a TLS attempt in the same message; the server's word counts.
  if (auto known = common_state(state, m, attempted, first_time)) return *known;
  if (state.empty() && about_tls(m))
    return make(first_time, "tls_failed", attempted, m,
                "check sslmode, sslrootcert, sslcert and sslkey in database.url, and the server's certificate");
  if (state == "42501")
    return make(ErrorKind::fatal, "permission_denied", attempted, m, "GRANT CONNECT ON DATABASE to the relay's role");
  return make(ErrorKind::transient, "database_unreachable", attempted, m,
              has(m, "could not translate host name") ? "check the host name in database.url"
                                                      : "check that the server runs and that host and port are right");
}

namespace {

// What replication commands are refused with; the words are those of PostgreSQL 13 to 18.
std::optional<Error> slot_state(std::string_view state, std::string_view m, std::string_view attempted) {
  const auto fatal = ErrorKind::fatal;
  if (state == "55006")
    return make(has(m, "is active") ? ErrorKind::busy : ErrorKind::transient,
                has(m, "is active") ? "slot_active" : "object_in_use", attempted, m, "");
  if (state == "42710" && has(m, "slot"))
    return make(fatal, "slot_exists", attempted, m, "drop it with: outbox-relay slot drop, if nobody needs it");
  if (state == "42704" && has(m, "replication slot"))
    return make(fatal, "slot_missing", attempted, m,
                "the place in the WAL is lost with it; see: outbox-relay progress show, then progress reset");
  if (state == "42704" && has(m, "publication"))
    return make(fatal, "publication_missing", attempted, m,
                "it must exist before the changes that it publishes; see: outbox-relay doctor");
  if (state == "53400" || (state == "53000" && has(m, "replication slot")))
    return make(fatal, "too_many_slots", attempted, m,
                "raise max_replication_slots on the server (needs a restart), or drop a slot that nobody reads");
  const bool removed = state == "58P01" && has(m, "WAL segment");
  if (removed || (state == "55000" && has_any(m, {"can no longer", "invalidated", "exceeded the maximum"})))
    return make(
        fatal, "slot_lost", attempted, m,
        "the server removed WAL that was not delivered yet (max_slot_wal_keep_size, idle_replication_slot_timeout); "
        "to accept that loss: outbox-relay progress reset");
  if (state == "55000" && has(m, "wal_level"))
    return make(fatal, "wal_level_not_logical", attempted, m,
                "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
  return std::nullopt;
}

}  // namespace

Error classify_sqlstate(std::string_view sqlstate, std::string_view server_message, std::string_view attempted) {
  const auto m = server_message;
  if (auto known = common_state(sqlstate, m, attempted, ErrorKind::transient)) return *known;
  if (auto known = slot_state(sqlstate, m, attempted)) return *known;
  const auto in_class = [&](std::string_view c) { return sqlstate.starts_with(c); };
  if (sqlstate == "42501")
    return make(ErrorKind::fatal, "permission_denied", attempted, m,
                "outbox-relay doctor prints the statement that grants what is missing");
  if (sqlstate == "57014") return make(ErrorKind::transient, "statement_timeout", attempted, m, "");
  if (sqlstate == "55P03")
    return make(ErrorKind::transient, "lock_timeout", attempted, m,
                "another session holds a lock on the table; pg_locks and pg_stat_activity tell which");
  if (sqlstate == "25006")
    return make(ErrorKind::transient, "database_read_only", attempted, m, "connect to the primary");
  if (in_class("08") || sqlstate.empty()) return make(ErrorKind::transient, "connection_lost", attempted, m, "");
  if (in_class("42") || in_class("0A") || in_class("22") || in_class("3F"))
    return make(ErrorKind::fatal, "statement_refused", attempted, m,
                "outbox-relay doctor looks at what the source needs");
  return make(ErrorKind::transient, "database_error", attempted, m, "");
}

}  // namespace relay::connectors::postgres
