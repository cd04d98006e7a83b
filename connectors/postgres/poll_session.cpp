#include "connectors/postgres/poll_session.h"

#include <charconv>

#include "connectors/postgres/poll_query.h"
#include "sql/embedded.h"

namespace relay::connectors::postgres {
namespace {

// A relay that stops must be gone within 10 s, also when the server has just frozen.
constexpr Millis kSilence{6'000};

std::uint64_t number(const std::optional<std::string>& cell) {
  std::uint64_t value = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

}  // namespace

Result<std::unique_ptr<PollSession>> PollSession::connect(const PollSourceConfig& config, bool had_success) {
  std::unique_ptr<PollSession> session(new PollSession(config.common.pipeline, config.common.outbox_tables.front()));
  RELAY_ASSIGN(session->sql_, SqlSession::connect(config.common.connection, had_success));
  return session;
}

Result<void> PollSession::lock() {
  RELAY_ASSIGN(const auto rows,
               sql_->query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))",
                           {"outbox-relay pipeline " + pipeline_}, "lock the name of pipeline " + pipeline_));
  if (rows.empty() || rows[0][0] != "t")
    return fail(ErrorKind::busy, "slot_active", "starting pipeline " + pipeline_ + ": another instance reads for it",
                "");
  locked_ = true;
  sql_->limit_silence(kSilence);
  // The server's own keepalives, so that a relay that vanished does not hold the lock. Commits of ours are on disk when
  // they return, but wait for no standby.
  return sql_->script(
      "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; "
      "SET synchronous_commit = local",
      "set up the connection of pipeline " + pipeline_);
}

void PollSession::poll_sequence(const std::string& schema, const std::string& name) {
  last_id_query_ = last_id_query(schema, name);
}

Result<SqlRows> PollSession::ask(const std::string& statement, std::string_view attempted) {
  RELAY_ASSIGN(auto rows, sql_->query(statement, {}, attempted));
  if (rows.empty() || rows.front().empty() || !rows.front()[0])
    return fail(ErrorKind::transient, "database_error",
                "could not " + std::string(attempted) + ": the server gave no answer");
  return rows;
}

Result<std::uint64_t> PollSession::last_id() {
  RELAY_ASSIGN(const auto rows, ask(last_id_query_, "look at the newest id of the outbox"));
  if (rows[0].size() > 1 && rows[0][1] == "1") return number(rows[0][0]);
  return fail(ErrorKind::fatal, "sequence_cached",
              "reading for pipeline " + pipeline_ + ": the sequence of the table's ids was given a CACHE: sessions take ids in "
              "advance and use them later, so a row could get an id below what was delivered, and be lost",
              "ALTER SEQUENCE ... CACHE 1, and end the sessions that wrote meanwhile: they keep what they cached");
}

Result<Barrier> PollSession::raise_barrier() {
  RELAY_ASSIGN(const auto rows, ask(barrier_query(), "take a transaction id, older than which nothing may run"));
  return Barrier{number(rows[0][0]), number(rows[0][1])};
}

Result<std::uint64_t> PollSession::oldest_running() {
  RELAY_ASSIGN(const auto rows, ask(oldest_running_query(), "look for the oldest transaction that runs"));
  return number(rows[0][0]);
}

Result<WalEnds> PollSession::wal_ends() {
  RELAY_ASSIGN(const auto rows, ask(wal_ends_query(), "look how much of the WAL is on disk"));
  return WalEnds{Lsn{number(rows[0][0])}, Lsn{number(rows[0][1])}};
}

Result<void> PollSession::make_reader_table() {
  RELAY_ASSIGN(const auto facts, reader_facts(*sql_, pipeline_, table_));
  if (facts.table_exists) return {};
  return sql_->script(std::string(sql::file("reader.sql")), "create the table outbox_relay.reader");
}

Result<void> PollSession::insert_reader(std::uint64_t acknowledged) {
  RELAY_TRY(sql_->query("INSERT INTO outbox_relay.reader (pipeline, acknowledged, relation) VALUES ($1, $2::bigint, $3)",
                        {pipeline_, std::to_string(acknowledged), table_}, "create the reader of pipeline " + pipeline_));
  return {};
}

Result<void> PollSession::delete_reader() {
  RELAY_TRY(sql_->query("DELETE FROM outbox_relay.reader WHERE pipeline = $1", {pipeline_},
                        "drop the reader of pipeline " + pipeline_));
  return {};
}

Result<void> PollSession::acknowledge(std::uint64_t id) {
  RELAY_ASSIGN(
      const auto rows,
      sql_->query(
          "UPDATE outbox_relay.reader SET acknowledged = greatest(acknowledged, $2::bigint), updated_at = now(), "
          "relation = $3 WHERE pipeline = $1 RETURNING acknowledged",
          {pipeline_, std::to_string(id), table_}, "note what is acknowledged in outbox_relay.reader"));
  if (!rows.empty()) return {};
  return fail(ErrorKind::transient, "reader_missing",
              "noting what is acknowledged: the row of pipeline " + pipeline_ + " in outbox_relay.reader is gone");
}

Result<void> PollSession::purge() {
  RELAY_TRY(sql_->query("SELECT outbox_relay.purge()", {}, "purge the outbox"));
  return {};
}

}  // namespace relay::connectors::postgres
