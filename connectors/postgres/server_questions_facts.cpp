#include "connectors/postgres/server_questions_facts.h"

#include <algorithm>
#include <charconv>

#include "connectors/postgres/row_facts.h"
#include "connectors/postgres/table_patterns.h"

namespace relay::connectors::postgres {

namespace {

using Cell = std::optional<std::string>;

bool is_true(const Cell& cell) { return cell && *cell == "t"; }
std::string text(const Cell& cell) { return cell.value_or(""); }
Lsn lsn(const Cell& cell) { return cell ? parse_lsn(*cell).value_or(Lsn{}) : Lsn{}; }

template <typename T>
T number(const Cell& cell) {
  T value{};
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), value);
  return value;
}

Vendor vendor_of(const std::string& roles) {
  if (roles.find("rds_superuser") != std::string::npos) return Vendor::amazon_rds;
  if (roles.find("cloudsqlsuperuser") != std::string::npos) return Vendor::google_cloud_sql;
  if (roles.find("azure_pg_admin") != std::string::npos) return Vendor::azure;
  return Vendor::plain;
}

// The pattern in LIKE's language; it may find more than matches_any, never less.
std::string like_pattern(std::string_view pattern) {
  std::string like;
  for (const char c : pattern) {
    if (c == '*' || c == '?') {
      like += c == '*' ? '%' : '_';
      continue;
    }
    if (c == '%' || c == '_' || c == '\\') like += '\\';
    like += c;
  }
  return like;
}

std::string oid_array(const std::vector<TableFacts>& tables) {
  std::vector<std::string> oids;
  for (const auto& t : tables) oids.push_back(std::to_string(t.table.oid));
  return array_literal(oids);
}

TableFacts* find(std::vector<TableFacts>& tables, std::uint32_t oid) {
  const auto at = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return t.table.oid == oid; });
  return at == tables.end() ? nullptr : &*at;
}

std::string misfit_reason(const std::string& kind, const Cell& parent) {
  if (parent) return "is a partition or child of " + *parent + "; name that table";
  if (kind == "v") return "is a view";
  if (kind == "m") return "is a materialized view";
  if (kind == "f") return "is a foreign table";
  return "is no table";
}

constexpr const char* kRelations = R"(
SELECT c.oid, n.nspname, c.relname, c.relkind,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       c.relkind IN ('r', 'p') AND row_security_active(c.oid),
       (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid LIMIT 1),
       pg_has_role(c.relowner, 'USAGE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND n.nspname || '.' || c.relname LIKE ANY ($1::text[]))";

Result<TablesFacts> matching_relations(SqlSession& sql, const SlotSourceConfig& config) {
  const auto patterns = config.table_patterns();
  std::vector<std::string> like;
  for (const auto& pattern : patterns) like.push_back(like_pattern(pattern));
  RELAY_ASSIGN(const auto rows, sql.query(kRelations, {array_literal(like)}, "look for the captured tables"));
  TablesFacts facts;
  for (const auto& row : rows) {
    TableFacts t;
    t.table.oid = number<std::uint32_t>(row[0]);
    t.table.schema = text(row[1]);
    t.table.name = text(row[2]);
    if (!config.is_outbox(t.name()) && !config.capture_of(t.name())) continue;
    const auto kind = text(row[3]);
    if (row[6] || (kind != "r" && kind != "p")) {
      facts.misfits.push_back({t.name(), misfit_reason(kind, row[6])});
      continue;
    }
    t.table.partitioned = kind == "p";
    t.may_select = is_true(row[4]);
    t.row_security = is_true(row[5]);
    t.owned = is_true(row[7]);
    facts.tables.push_back(std::move(t));
  }
  std::sort(facts.tables.begin(), facts.tables.end(), [](const auto& a, const auto& b) {
    return std::tie(a.table.schema, a.table.name) < std::tie(b.table.schema, b.table.name);
  });
  return facts;
}

// Every member of the tables' trees that can hold rows; a plain table is its own.
constexpr const char* kMembers = R"(
WITH RECURSIVE tree(root, oid) AS (
  SELECT r, r FROM unnest($1::oid[]) r
  UNION SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
SELECT tree.root, c.oid, c.relpersistence = 'u', c.reltuples, pg_relation_size(c.oid),
       CASE c.relreplident
         WHEN 'f' THEN true
         WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)
         WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
         ELSE false END
FROM tree JOIN pg_class c ON c.oid = tree.oid WHERE c.relkind = 'r' ORDER BY 1, 2)";

Result<void> add_members(SqlSession& sql, std::vector<TableFacts>& tables) {
  RELAY_ASSIGN(const auto rows, sql.query(kMembers, {oid_array(tables)}, "look at the captured tables' partitions"));
  for (auto& t : tables) t.table.replica_identity = true;
  for (const auto& row : rows) {
    auto* t = find(tables, number<std::uint32_t>(row[0]));
    if (!t) continue;
    t->table.leaf_oids.push_back(number<std::uint32_t>(row[1]));
    t->unlogged |= is_true(row[2]);
    const auto tuples = number<double>(row[3]);
    const bool empty = number<std::int64_t>(row[4]) == 0;
    if (!empty && tuples <= 0) t->table.estimated_rows = -1;  // never analyzed (13 says 0)
    if (tuples > 0 && t->table.estimated_rows >= 0) t->table.estimated_rows += tuples;
    t->table.has_rows |= !empty;
    t->table.replica_identity &= is_true(row[5]);
  }
  return {};
}

constexpr const char* kColumns = R"(
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), n.nspname, a.atttypid, a.attnotnull, a.attgenerated
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum)";

Result<void> add_columns(SqlSession& sql, std::vector<TableFacts>& tables) {
  RELAY_ASSIGN(const auto rows, sql.query(kColumns, {oid_array(tables)}, "look at the captured tables' columns"));
  for (const auto& row : rows)
    if (auto* t = find(tables, number<std::uint32_t>(row[0])))
      t->columns.push_back({text(row[1]), text(row[2]), text(row[3]), number<std::uint32_t>(row[4]), is_true(row[5]),
                            text(row[6]).empty() ? '\0' : text(row[6]).front()});
  return {};
}

// Unique indexes without a condition over not-null columns, the best one first: the primary key, then the shortest.
constexpr const char* kKeys = R"(
SELECT k.indrelid, k.indexrelid, a.attname, format_type(a.atttypid, a.atttypmod)
FROM (SELECT i.indrelid, i.indexrelid, i.indisprimary, i.indnkeyatts, u.attnum, u.place
      FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, place)
      WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
        AND u.place <= i.indnkeyatts
        AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY n(attnum, place)
                        LEFT JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = n.attnum AND b.attnotnull
                        WHERE n.place <= i.indnkeyatts AND (n.attnum <= 0 OR b.attnum IS NULL))) k
JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.attnum
ORDER BY k.indrelid, k.indisprimary DESC, k.indnkeyatts, k.indexrelid, k.place)";

Result<void> add_keys(SqlSession& sql, std::vector<TableFacts>& tables) {
  RELAY_ASSIGN(const auto rows, sql.query(kKeys, {oid_array(tables)}, "look at the captured tables' keys"));
  std::map<std::uint32_t, std::string> chosen;  // table -> index
  for (const auto& row : rows) {
    auto* t = find(tables, number<std::uint32_t>(row[0]));
    if (!t || chosen.emplace(t->table.oid, text(row[1])).first->second != text(row[1])) continue;
    t->key.push_back(text(row[2]));
    t->key_types.push_back(text(row[3]));
  }
  // An index of a table with INHERITS children says nothing about theirs.
  for (auto& t : tables)
    if (!t.table.partitioned && t.table.leaf_oids.size() > 1) {
      t.key.clear();
      t.key_types.clear();
    }
  return {};
}

// What the publication names: tables, with their filters and column lists, and schemas (both from 15 on).
Result<void> add_published(SqlSession& sql, const std::string& publication, PublicationFacts& f) {
  const std::string attempted = "look at the publication " + publication;
  const bool has_lists = sql.server_version() >= 150000;
  const std::string details = has_lists ? "r.prqual IS NOT NULL, a.attname" : "false, NULL::name";
  const std::string columns =
      has_lists ? "LEFT JOIN pg_attribute a ON a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])" : "";
  RELAY_ASSIGN(const auto members,
               sql.query("SELECT r.prrelid, " + details +
                             " FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid " + columns +
                             " WHERE p.pubname = $1",
                         {publication}, attempted));
  for (const auto& row : members) {
    const auto oid = number<std::uint32_t>(row[0]);
    f.tables.insert(oid);
    if (is_true(row[1])) f.filtered.insert(oid);
    if (row[2]) f.column_lists[oid].insert(*row[2]);
  }
  if (!has_lists) return {};
  RELAY_ASSIGN(const auto schemas, sql.query("SELECT n.nspname FROM pg_publication_namespace s "
                                             "JOIN pg_publication p ON p.oid = s.pnpubid "
                                             "JOIN pg_namespace n ON n.oid = s.pnnspid WHERE p.pubname = $1",
                                             {publication}, attempted));
  for (const auto& row : schemas) f.schemas.insert(text(row[0]));
  return {};
}

}  // namespace

const ColumnFacts* TableFacts::column(std::string_view column_name) const {
  for (const auto& c : columns)
    if (c.name == column_name) return &c;
  return nullptr;
}

std::string array_literal(const std::vector<std::string>& items) {
  std::string literal = "{";
  for (const auto& item : items) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + '}';
}

Result<ServerFacts> server_facts(SqlSession& sql) {
  ServerFacts f;
  f.version = sql.server_version();
  // pg_walfile_name knows the timeline that is written to; pg_control_checkpoint() still shows the old one between a
  // promotion and the next checkpoint.
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT pg_is_in_recovery(), current_setting('wal_level'), r.rolname, current_database(), s.system_identifier,
       r.rolsuper,
       r.rolreplication OR EXISTS (SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication'
                                   AND pg_has_role(r.oid, g.oid, 'MEMBER')),
       (SELECT string_agg(rolname, ',') FROM pg_roles
        WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin')),
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_insert_lsn()) END,
       has_database_privilege(current_database(), 'CREATE')
FROM pg_roles r, pg_control_system() s WHERE r.rolname = current_user)",
                                          {}, "ask the server about itself and the role"));
  if (rows.empty())
    return fail(ErrorKind::transient, "database_error", "the role of this session does not exist any more");
  const auto& row = rows.front();
  f.in_recovery = is_true(row[0]);
  f.wal_level = text(row[1]);
  f.role = text(row[2]);
  f.database = text(row[3]);
  f.system_identifier = text(row[4]);
  f.superuser = is_true(row[5]);
  f.may_replicate = f.superuser || is_true(row[6]);
  f.vendor = vendor_of(text(row[7]));
  f.wal_end = lsn(row[8]);
  if (const auto file = text(row[9]); file.size() >= 8) std::from_chars(file.data(), file.data() + 8, f.timeline, 16);
  f.may_create = is_true(row[10]);
  return f;
}

Result<TablesFacts> table_facts(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(TablesFacts facts, matching_relations(sql, config));
  if (facts.tables.empty()) return facts;
  RELAY_TRY(add_members(sql, facts.tables));
  RELAY_TRY(add_columns(sql, facts.tables));
  RELAY_TRY(add_keys(sql, facts.tables));
  RELAY_TRY(add_identities(sql, facts.tables));
  for (auto& t : facts.tables)
    t.full_needs_generated = sql.server_version() >= 180000 &&
                             std::any_of(t.columns.begin(), t.columns.end(), [](const auto& c) { return c.generated != 0; });
  return facts;
}

Result<std::vector<std::string>> key_of(SqlSession& sql, std::uint32_t relation) {
  std::vector<TableFacts> table(1);
  table.front().table.oid = relation;
  RELAY_TRY(add_keys(sql, table));
  return std::move(table.front().key);
}

Result<std::optional<PublicationFacts>> publication_facts(SqlSession& sql, const std::string& publication) {
  const std::string generated = sql.server_version() >= 180000 ? "pubgencols = 's'" : "false";
  RELAY_ASSIGN(const auto rows,
               sql.query("SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, " + generated +
                             " FROM pg_publication WHERE pubname = $1",
                         {publication}, "look at the publication " + publication));
  if (rows.empty()) return std::nullopt;
  PublicationFacts f;
  const auto& p = rows.front();
  f.all_tables = is_true(p[0]);
  f.inserts = is_true(p[1]);
  f.updates = is_true(p[2]);
  f.deletes = is_true(p[3]);
  f.truncates = is_true(p[4]);
  f.via_root = is_true(p[5]);
  f.generated_columns = is_true(p[6]);
  RELAY_TRY(add_published(sql, publication, f));
  return f;
}

Result<std::optional<SlotFacts>> slot_facts(SqlSession& sql, const std::string& slot) {
  const int version = sql.server_version();
  const std::string two_phase = version >= 140000 ? "two_phase" : "false";
  const std::string invalidation = version >= 170000 ? "invalidation_reason"
                                   : version >= 160000
                                       ? "CASE WHEN conflicting AND wal_status <> 'lost' THEN 'conflict' END"
                                       : "NULL";
  const std::string failover = version >= 170000 ? "failover" : "false";
  RELAY_ASSIGN(const auto rows,
               sql.query("SELECT confirmed_flush_lsn, active, active_pid, slot_type, plugin, database, wal_status, " +
                             invalidation + ", " + two_phase + ", temporary, " + failover +
                             ", restart_lsn, safe_wal_size, CASE WHEN NOT pg_is_in_recovery() THEN "
                             "pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint END "
                             "FROM pg_replication_slots WHERE slot_name = $1",
                         {slot}, "look at the slot " + slot));
  if (rows.empty()) return std::nullopt;
  const auto& row = rows.front();
  SlotFacts f;
  f.state.confirmed_flush = lsn(row[0]);
  f.state.active = is_true(row[1]);
  f.state.active_pid = number<int>(row[2]);
  f.type = text(row[3]);
  f.plugin = text(row[4]);
  f.database = text(row[5]);
  f.wal_status = text(row[6]);
  f.invalidation = text(row[7]);
  f.two_phase = is_true(row[8]);
  f.temporary = is_true(row[9]);
  f.failover = is_true(row[10]);
  f.restart_lsn = lsn(row[11]);
  if (row[12]) f.safe_wal_bytes = number<std::int64_t>(row[12]);
  f.retained_bytes = number<std::int64_t>(row[13]);
  return f;
}

Result<bool> has_visible_rows(SqlSession& sql, const TableFacts& table) {
  const auto rows = sql.query("SELECT EXISTS (SELECT FROM " + quote_table(table.table.schema, table.table.name) + ")",
                              {}, "look for existing rows in " + table.name());
  if (rows) return is_true(rows->front()[0]);
  if (rows.error().kind == ErrorKind::transient && rows.error().code == "connection_lost") return fail(rows.error());
  return true;  // no privilege, or too many dead rows for the statement timeout: somebody has to decide
}

}  // namespace relay::connectors::postgres
