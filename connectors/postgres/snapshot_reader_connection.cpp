#include "connectors/postgres/snapshot_reader_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <chrono>

namespace relay::connectors::postgres {

namespace {

constexpr auto kAnswerLimit = std::chrono::seconds(20);

using Steady = std::chrono::steady_clock;

// A long read is ended by nothing but its own failure. Times are the server's limits that would cut it. A vanished
// relay must not hold its lock and snapshot: the server's keepalives; tcp_user_timeout also counts while we do not read
// because the sink is slow, so it is longer than the pipeline lets a stalled sink be.
std::string session_settings(int server_version) {
  std::string sql =
      "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'; "
      "SET search_path = pg_catalog; SET row_security = off; SET standard_conforming_strings = on; "
      "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; "
      "SET tcp_user_timeout = 120000";
  if (server_version >= 170000) sql += "; SET transaction_timeout = 0";
  for (const auto& [name, value] : text_form_settings()) sql += "; SET " + name + " = " + quote_literal(value);
  return sql;
}

Error server_error(const PGresult* result, std::string_view attempted) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return classify_sqlstate(state ? state : "", message ? message : "", attempted);
}

SqlRows rows_of(const PGresult* result) {
  SqlRows rows;
  for (int r = 0; r < PQntuples(result); ++r) {
    SqlRow& row = rows.emplace_back();
    for (int c = 0; c < PQnfields(result); ++c)
      row.push_back(PQgetisnull(result, r, c) ? std::nullopt : std::optional<std::string>(PQgetvalue(result, r, c)));
  }
  return rows;
}

}  // namespace

void SnapshotRow::Clear::operator()(pg_result* result) const { PQclear(result); }

std::string_view SnapshotRow::text(std::size_t column) const {
  const auto c = static_cast<int>(column);
  if (PQgetisnull(result_.get(), 0, c)) return {};
  return {PQgetvalue(result_.get(), 0, c), static_cast<std::size_t>(PQgetlength(result_.get(), 0, c))};
}

std::size_t SnapshotRow::columns() const { return static_cast<std::size_t>(PQnfields(result_.get())); }

SnapshotConnection::~SnapshotConnection() { PQfinish(connection_); }

Result<std::unique_ptr<SnapshotConnection>> SnapshotConnection::connect(const ConnectionConfig& config) {
  const std::string attempted = "connect to the database " + describe_target(config);
  RELAY_ASSIGN(const auto parameters, connection_parameters(config, ConnectionUse::sql));
  std::vector<const char*> keywords, values;
  for (const auto& keyword : parameters.keywords) keywords.push_back(keyword.c_str());
  for (const auto& value : parameters.values) values.push_back(value.c_str());
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<SnapshotConnection> made(
      new SnapshotConnection(PQconnectdbParams(keywords.data(), values.data(), 0)));  // bounded by connect_timeout
  if (PQstatus(made->connection_) != CONNECTION_OK)
    return fail(classify_connect_failure(PQerrorMessage(made->connection_), attempted, true));
  PQsetNoticeProcessor(
      made->connection_, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(made->connection_, 1) != 0) return fail(made->lost(attempted));
  RELAY_TRY(
      made->run(session_settings(PQserverVersion(made->connection_)), "set up the connection of the initial read"));
  return made;
}

Error SnapshotConnection::lost(std::string_view attempted) const {
  return classify_connect_failure(PQerrorMessage(connection_), attempted, true);
}

// Waits until the connection can be read, sending what is left to send.
Result<void> SnapshotConnection::wait(long milliseconds, std::string_view attempted) {
  const int unsent = PQflush(connection_);
  if (unsent < 0) return fail(lost(attempted));
  pollfd socket{PQsocket(connection_), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN), 0};
  if (milliseconds <= 0 || ::poll(&socket, 1, static_cast<int>(milliseconds)) == 0)
    return fail(ErrorKind::transient, "connection_lost",
                "could not " + std::string(attempted) + ": the server did not answer for 20 seconds");
  if (PQconsumeInput(connection_) == 0) return fail(lost(attempted));
  return {};
}

Result<SqlRows> SnapshotConnection::run(const std::string& sql, std::string_view attempted) {
  const auto deadline = Steady::now() + kAnswerLimit;
  if (PQsendQuery(connection_, sql.c_str()) == 0) return fail(lost(attempted));
  SqlRows rows;
  std::optional<Error> error;
  for (;;) {
    while (PQisBusy(connection_)) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now()).count();
      RELAY_TRY(wait(left, attempted));
    }
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQgetResult(connection_), PQclear);
    if (!result) break;
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK) rows = rows_of(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !error)
      error = server_error(result.get(), attempted);
  }
  if (error) return fail(std::move(*error));
  return rows;
}

Result<void> SnapshotConnection::start(const std::string& sql, const std::vector<std::string>& parameters,
                                       std::string attempted) {
  attempted_ = std::move(attempted);
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                        nullptr, 0) == 0)
    return fail(lost(attempted_));
  PQsetSingleRowMode(connection_);
  const int unsent = PQflush(connection_);
  if (unsent < 0) return fail(lost(attempted_));
  wants_write_ = unsent > 0;
  return {};
}

Result<SnapshotConnection::Next> SnapshotConnection::next(std::optional<SnapshotRow>& row) {
  for (bool looked = false;;) {
    if (PQisBusy(connection_)) {
      if (looked) return Next::would_block;
      const int unsent = PQflush(connection_);
      if (unsent < 0 || PQconsumeInput(connection_) == 0) return fail(lost(attempted_));
      wants_write_ = unsent > 0;
      looked = true;
      continue;
    }
    PGresult* result = PQgetResult(connection_);
    if (!result) return Next::end;
    const auto status = PQresultStatus(result);
    if (status == PGRES_SINGLE_TUPLE) {
      row.emplace(result);
      return Next::row;
    }
    const SnapshotRow owner(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return fail(server_error(result, attempted_));
  }
}

Result<bool> SnapshotConnection::take_notifications() {
  if (PQconsumeInput(connection_) == 0) return fail(lost("listen"));
  bool any = false;
  while (PGnotify* notification = PQnotifies(connection_)) {
    PQfreemem(notification);
    any = true;
  }
  return any;
}

int SnapshotConnection::socket() const { return PQsocket(connection_); }

}  // namespace relay::connectors::postgres
