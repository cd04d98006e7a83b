#include "connectors/postgres/poll_facts.h"

#include <charconv>

#include "connectors/postgres/doctor_checks.h"
#include "connectors/postgres/poll_query.h"

namespace relay::connectors::postgres {
namespace {

using Cell = std::optional<std::string>;

bool is_true(const Cell& cell) { return cell && *cell == "t"; }
std::string text(const Cell& cell) { return cell.value_or(""); }

template <typename T>
T number(const Cell& cell) {
  T value{};
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

// One row for each of the two columns that is there, with the sequence that its identity or its default depends on.
constexpr const char* kRelayColumns = R"(
SELECT a.attname, a.attnum, format_type(a.atttypid, NULL), a.attidentity, pg_get_expr(d.adbin, d.adrelid),
       s.oid, n.nspname, s.relname, q.seqincrement, q.seqmin, q.seqcycle, q.seqcache, s.relpersistence = 'u',
       has_sequence_privilege(s.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'),
       a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) = format('nextval(%L::regclass)', s.oid::regclass::text)
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN LATERAL (
  SELECT p.objid AS oid FROM pg_depend p
  WHERE a.attidentity <> '' AND p.deptype = 'i' AND p.classid = 'pg_class'::regclass
    AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum
  UNION ALL
  SELECT p.refobjid FROM pg_depend p JOIN pg_class k ON k.oid = p.refobjid AND k.relkind = 'S'
  WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
  LIMIT 1) dep ON true
LEFT JOIN pg_class s ON s.oid = dep.oid
LEFT JOIN pg_namespace n ON n.oid = s.relnamespace
LEFT JOIN pg_sequence q ON q.seqrelid = s.oid
WHERE a.attrelid = $1::oid AND a.attname IN ($2, $3) AND a.attnum > 0 AND NOT a.attisdropped)";

IdSequenceFacts sequence_of(const SqlRow& row) {
  IdSequenceFacts s;
  s.oid = number<std::uint32_t>(row[5]);
  s.schema = text(row[6]);
  s.name = text(row[7]);
  s.increment = number<std::int64_t>(row[8]);
  s.minimum = number<std::int64_t>(row[9]);
  s.cycles = is_true(row[10]);
  s.cache = number<std::int64_t>(row[11]);
  s.unlogged = is_true(row[12]);
  s.may_select = is_true(row[13]);
  return s;
}

Result<void> add_columns(SqlSession& sql, const PollSourceConfig& config, const TableFacts& table, PollFacts& facts) {
  RELAY_ASSIGN(const auto rows,
               sql.query(kRelayColumns, {std::to_string(table.table.oid), config.id_column, config.xid_column},
                         "look at the relay's columns of " + table.name()));
  for (const auto& row : rows) {
    const bool is_id = text(row[0]) == config.id_column;
    auto& column = is_id ? facts.id : facts.xid;
    column = {true, number<int>(row[1]), text(row[2]), text(row[3]).empty() ? '\0' : text(row[3]).front(),
              text(row[4])};
    if (!is_id || !row[5]) continue;
    facts.sequence = sequence_of(row);
    facts.sequence_is_the_default = is_true(row[14]);
  }
  if (!facts.sequence || !facts.sequence->may_select) return {};
  RELAY_ASSIGN(const auto last, sql.query(last_id_query(facts.sequence->schema, facts.sequence->name), {},
                                          "look at the sequence of " + table.name()));
  facts.sequence->last_id = number<std::uint64_t>(last.front()[0]);
  return {};
}

Result<void> add_table(SqlSession& sql, const PollSourceConfig& config, const TableFacts& table, PollFacts& facts) {
  std::vector<std::string> members{std::to_string(table.table.oid)}, leaves;
  for (const auto oid : table.table.leaf_oids) leaves.push_back(std::to_string(oid));
  members.insert(members.end(), leaves.begin(), leaves.end());
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = ANY ($1::oid[])),
       NOT EXISTS (SELECT FROM unnest($2::oid[]) leaf WHERE NOT EXISTS (
         SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = leaf AND m.amname = 'btree' AND i.indisvalid AND a.attname = $3
           AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))),
       pg_backend_pid())",
                                          {array_literal(members), array_literal(leaves), config.id_column},
                                          "look at the indexes of " + table.name()));
  facts.subscribed = is_true(rows.front()[0]);
  facts.id_index = is_true(rows.front()[1]);
  facts.pooled = number<int>(rows.front()[2]) != sql.backend_pid();
  return {};
}

// Only before the first start, when it has to be decided what becomes of them.
Result<void> add_rows(SqlSession& sql, const PollSourceConfig& config, const TableFacts& table, PollFacts& facts) {
  if (facts.reader.acknowledged || !table.table.has_rows || !table.may_select || !facts.id.exists) return {};
  RELAY_ASSIGN(facts.has_rows, has_visible_rows(sql, table));
  const auto without = sql.query("SELECT EXISTS (SELECT FROM " + quote_table(table.table.schema, table.table.name) +
                                     " t WHERE t." + quote_identifier(config.id_column) + " IS NULL)",
                                 {}, "look for rows of " + table.name() + " from before the relay's columns");
  if (!without && without.error().code == "connection_lost") return fail(without.error());
  facts.rows_without_id = !without || is_true(without->front()[0]);
  return {};
}

HoldingTransaction holder_of(const SqlRow& row) {
  HoldingTransaction h;
  h.gid = text(row[0]);
  h.pid = number<int>(row[1]);
  h.role = text(row[2]);
  h.application = text(row[3]);
  h.database = text(row[4]);
  if (row[5]) h.age_seconds = number<std::int64_t>(row[5]);
  return h;
}

// Every transaction with an id holds a lock on it, which everybody may see; whose it is and since when comes beside it.
constexpr const char* kHolders = R"(
SELECT p.gid, l.pid, coalesce(p.owner::text, a.usename::text), a.application_name, coalesce(p.database::text, a.datname::text),
       extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start))::bigint, l.transactionid
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid
WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
  AND l.pid IS DISTINCT FROM pg_backend_pid())";

}  // namespace

std::string HoldingTransaction::text() const {
  auto out = gid.empty() ? "the transaction of process " + std::to_string(pid)
                         : "the prepared transaction " + quote_literal(gid);
  out += " (role " + quote_identifier(role);
  if (!application.empty()) out += ", application " + application;
  out += ", database " + quote_identifier(database) + ")";
  if (age_seconds) out += ", open for " + readable_seconds(*age_seconds);
  return out;
}

std::string HoldingTransaction::remedy() const {
  if (!gid.empty()) return "ROLLBACK PREPARED " + quote_literal(gid) + ";   -- or COMMIT PREPARED, in that database";
  return "SELECT pg_terminate_backend(" + std::to_string(pid) + ");   -- ends that session";
}

Result<PollFacts> poll_facts(SqlSession& sql, const PollSourceConfig& config, const TableFacts& table) {
  PollFacts facts;
  RELAY_TRY(add_columns(sql, config, table, facts));
  RELAY_TRY(add_table(sql, config, table, facts));
  RELAY_ASSIGN(facts.reader, reader_facts(sql, config.common.pipeline, table.name()));
  RELAY_TRY(add_rows(sql, config, table, facts));
  return facts;
}

Result<ReaderFacts> reader_facts(SqlSession& sql, const std::string& pipeline, const std::string& table) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
       AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'outbox_relay' AND c.relname = 'reader' AND c.relkind = 'r')",
                                          {}, "look for the table outbox_relay.reader"));
  ReaderFacts facts;
  if (rows.empty()) return facts;
  facts.table_exists = true;
  facts.usable = is_true(rows.front()[0]);
  if (!facts.usable) return facts;
  RELAY_ASSIGN(const auto readers, sql.query("SELECT pipeline, acknowledged FROM outbox_relay.reader WHERE pipeline = $1 "
                                             "OR relation = $2 ORDER BY pipeline",
                                             {pipeline, table}, "read outbox_relay.reader"));
  for (const auto& row : readers)
    if (text(row[0]) == pipeline)
      facts.acknowledged = number<std::uint64_t>(row[1]);
    else
      facts.others.emplace_back(text(row[0]), number<std::uint64_t>(row[1]));
  return facts;
}

Result<std::optional<HoldingTransaction>> holding_transaction(SqlSession& sql, std::uint64_t xid) {
  // Locks know the lower half of an id only.
  RELAY_ASSIGN(const auto rows, sql.query(std::string(kHolders) + " AND l.transactionid = $1::xid LIMIT 1",
                                          {std::to_string(static_cast<std::uint32_t>(xid))},
                                          "look which transaction holds delivery back"));
  if (rows.empty()) return std::nullopt;
  return holder_of(rows.front());
}

// A role that may not see since when a session's transaction is open looks twice.
Result<std::vector<HoldingTransaction>> holding_transactions(SqlSession& sql, int seconds) {
  const std::string attempted = "look which transactions stay open";
  const std::string since = "coalesce(p.prepared, a.xact_start)";
  RELAY_ASSIGN(auto rows, sql.query(std::string(kHolders) + " AND " + since +
                                        " < clock_timestamp() - $1::interval ORDER BY " + since + " LIMIT 10",
                                    {std::to_string(seconds) + " seconds"}, attempted));
  RELAY_ASSIGN(const auto hidden, sql.query(std::string(kHolders) + " AND " + since + " IS NULL", {}, attempted));
  if (!hidden.empty()) {
    std::vector<std::string> ids;
    for (const auto& row : hidden) ids.push_back(text(row[6]));
    RELAY_TRY(sql.query("SELECT pg_sleep($1::int)", {std::to_string(seconds)}, attempted));
    RELAY_ASSIGN(const auto still, sql.query(std::string(kHolders) + " AND l.transactionid = ANY ($1::xid[]) LIMIT 10",
                                             {array_literal(ids)}, attempted));
    rows.insert(rows.end(), still.begin(), still.end());
  }
  std::vector<HoldingTransaction> holders;
  for (const auto& row : rows) holders.push_back(holder_of(row));
  return holders;
}

}  // namespace relay::connectors::postgres
