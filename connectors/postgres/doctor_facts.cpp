#include "connectors/postgres/doctor_facts.h"

#include <charconv>

namespace relay::connectors::postgres {

namespace {

using Cell = std::optional<std::string>;

bool is_true(const Cell& cell) { return cell && *cell == "t"; }
std::string text(const Cell& cell) { return cell.value_or(""); }

std::int64_t number(const Cell& cell) {
  std::int64_t value = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

// pg_settings gives base units: MB for max_slot_wal_keep_size, ms or s for times.
std::int64_t milliseconds(const Cell& setting, const Cell& unit) {
  const auto value = number(setting);
  if (text(unit) == "s") return value * 1'000;
  if (text(unit) == "min") return value * 60'000;
  return value;
}

}  // namespace

Result<ConnectionFacts> connection_facts(SqlSession& sql) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT pg_backend_pid(), inet_server_addr() IS NULL, host(inet_server_addr()) || ':' || inet_server_port(),
       s.ssl, s.version, s.cipher
FROM (SELECT) one LEFT JOIN pg_stat_ssl s ON s.pid = pg_backend_pid())",
                                          {}, "ask how this connection is made"));
  const auto& row = rows.front();
  ConnectionFacts f;
  f.pooled = number(row[0]) != sql.backend_pid();
  f.local = is_true(row[1]);
  f.server_address = text(row[2]);
  f.tls = is_true(row[3]);
  f.tls_version = text(row[4]);
  f.cipher = text(row[5]);
  return f;
}

Result<SettingsFacts> settings_facts(SqlSession& sql) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT current_setting('max_replication_slots'), (SELECT count(*) FROM pg_replication_slots),
       current_setting('max_wal_senders'), (SELECT count(*) FROM pg_stat_replication),
       (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'),
       (SELECT unit FROM pg_settings WHERE name = 'wal_sender_timeout'),
       (SELECT setting FROM pg_settings WHERE name = 'idle_replication_slot_timeout'),
       (SELECT unit FROM pg_settings WHERE name = 'idle_replication_slot_timeout'),
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
       (SELECT setting FROM pg_settings WHERE name = 'synchronized_standby_slots'))",
                                          {}, "ask for the server's limits"));
  const auto& row = rows.front();
  SettingsFacts f;
  f.max_replication_slots = number(row[0]);
  f.used_slots = number(row[1]);
  f.max_wal_senders = number(row[2]);
  f.used_wal_senders = number(row[3]);
  const auto keep_megabytes = number(row[4]);
  f.max_slot_wal_keep_bytes = keep_megabytes < 0 ? -1 : keep_megabytes * 1'048'576;
  f.wal_sender_timeout_ms = milliseconds(row[5], row[6]);
  f.idle_slot_timeout_ms = milliseconds(row[7], row[8]);
  f.may_see_sessions = is_true(row[9]);
  f.synchronized_standby_slots = text(row[10]);
  return f;
}

Result<WalFacts> wal_facts(SqlSession& sql) {
  const auto place = [&]() -> Result<std::pair<std::int64_t, std::int64_t>> {
    RELAY_ASSIGN(const auto rows,
                 sql.query("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, "
                           "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                           {}, "measure how fast the server writes WAL"));
    return std::pair{number(rows.front()[0]), number(rows.front()[1])};
  };
  RELAY_ASSIGN(const auto before, place());
  RELAY_TRY(sql.query("SELECT pg_sleep(1)", {}, "measure how fast the server writes WAL"));
  RELAY_ASSIGN(const auto after, place());
  WalFacts f;
  f.bytes_per_second = (after.first - before.first) * 1'000 / std::max<std::int64_t>(1, after.second - before.second);
  if (sql.server_version() < 140000) return f;
  RELAY_ASSIGN(const auto rows, sql.query("SELECT wal_bytes::bigint, extract(epoch FROM clock_timestamp() - stats_reset)::bigint "
                                          "FROM pg_stat_wal",
                                          {}, "look at the server's WAL statistics"));
  if (rows.empty()) return f;
  f.average_seconds = number(rows.front()[1]);
  if (f.average_seconds > 0) f.average = number(rows.front()[0]) / f.average_seconds;
  return f;
}

Result<std::vector<OpenTransaction>> open_transactions(SqlSession& sql) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT gid, pid, datname, role, application, extract(epoch FROM clock_timestamp() - since)::bigint
FROM (SELECT NULL AS gid, pid, datname::text, usename::text AS role, application_name AS application,
             xact_start AS since
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
      UNION ALL SELECT gid, 0, database::text, owner::text, '', prepared FROM pg_prepared_xacts) open
WHERE since < clock_timestamp() - interval '1 minute' ORDER BY since LIMIT 10)",
                                          {}, "look for transactions that stay open"));
  std::vector<OpenTransaction> open;
  for (const auto& row : rows)
    open.push_back(
        {text(row[0]), static_cast<int>(number(row[1])), text(row[2]), text(row[3]), text(row[4]), number(row[5])});
  return open;
}

Result<StoreFacts> store_facts(SqlSession& sql) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT c.relname, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
       AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'outbox_relay' AND c.relname IN ('progress', 'dead_letter') AND c.relkind = 'r')",
                                          {}, "look at the tables of schema outbox_relay"));
  StoreFacts f;
  for (const auto& row : rows) (text(row[0]) == "progress" ? f.progress : f.dead_letter) = {true, is_true(row[1])};
  RELAY_ASSIGN(const auto published,
               sql.query("SELECT DISTINCT pubname FROM pg_publication_tables WHERE schemaname = 'outbox_relay' "
                         "AND tablename IN ('progress', 'dead_letter') ORDER BY 1",
                         {}, "look for publications of schema outbox_relay"));
  for (const auto& row : published) f.publications.push_back(text(row[0]));
  return f;
}

}  // namespace relay::connectors::postgres
