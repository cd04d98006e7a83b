#include "connectors/postgres/snapshot_reader_query.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "connectors/postgres/capture_checks.h"
#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {

namespace {

std::string column_list(const SnapshotTable& table, const std::vector<std::size_t>& which) {
  std::string list;
  for (const auto i : which) list += (list.empty() ? "" : ", ") + ("t." + quote_identifier(table.columns[i].name));
  return list;
}

std::string all_columns(const SnapshotTable& table) {
  std::vector<std::size_t> all(table.columns.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return column_list(table, all);
}

std::string from(const SnapshotTable& table) { return " FROM " + quote_table(table.schema, table.name) + " t"; }

// Was the row there in the snapshot $1, seen from the newest id $2? Below 3: frozen by an old server, or at the start.
constexpr const char* kWasVisible =
    "pg_visible_in_snapshot((CASE WHEN t.xmin::text::bigint < 3 THEN 3 ELSE greatest(3, "
    "$2::bigint - (($2::bigint - t.xmin::text::bigint) & 4294967295)) END)::text::xid8, $1::pg_snapshot)";

// The columns' own operators and collations decide what comes after; the parameters only have the columns' types.
std::string after_key_condition(const SnapshotTable& table, std::size_t first_parameter) {
  std::string values;
  for (std::size_t i = 0; i < table.order.size(); ++i)
    values += (i == 0 ? "$" : ", $") + std::to_string(first_parameter + i) + "::" + table.order_types[i];
  return "(" + column_list(table, table.order) + ") > (" + values + ")";
}

struct SnapshotParts {
  std::uint64_t xmin = 0, xmax = 0;
};
std::optional<SnapshotParts> parse_snapshot(std::string_view text) {
  SnapshotParts parts;
  const char* const end = text.data() + text.size();
  const auto xmin = std::from_chars(text.data(), end, parts.xmin);
  if (xmin.ec != std::errc{} || xmin.ptr == end || *xmin.ptr != ':') return std::nullopt;
  const auto xmax = std::from_chars(xmin.ptr + 1, end, parts.xmax);
  if (xmax.ec != std::errc{} || xmax.ptr == end || *xmax.ptr != ':') return std::nullopt;
  return parts;
}

}  // namespace

Result<SnapshotTable> snapshot_table(const SlotSourceConfig& config, const TableFacts& facts,
                                     const PublicationFacts* publication) {
  const auto problems = initial_read_problems(config, facts);
  if (!problems.empty()) return fail(problems.front().error());
  SnapshotTable table;
  table.capture = config.capture_of(facts.name());
  table.oid = facts.table.oid;
  table.schema = facts.table.schema;
  table.name = facts.table.name;
  table.key = facts.key;
  auto order = table.capture ? std::vector<std::string>{} : config.snapshot_order_by;
  for (const auto& name : facts.key)
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  const auto needed = table.capture ? captured_columns(*table.capture, facts, publication) : event_columns(config, facts);
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& column : facts.columns)
    if (is_in(needed, column.name) || is_in(order, column.name))
      table.columns.push_back({column.name, column.type_oid});
  for (const auto& name : order) {
    const auto at =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& c) { return c.name == name; });
    table.order.push_back(static_cast<std::size_t>(at - table.columns.begin()));
    table.order_types.push_back(facts.column(name)->type);
    table.order_schemas.push_back(facts.column(name)->type_schema);
  }
  return table;
}

std::string search_path_statement(const std::vector<SnapshotTable>& tables) {
  std::set<std::string> schemas;
  for (const auto& t : tables) schemas.insert(t.order_schemas.begin(), t.order_schemas.end());
  schemas.erase("pg_catalog");
  std::string sql = "SET search_path = pg_catalog";
  for (const auto& schema : schemas) sql += ", " + quote_identifier(schema);
  return sql;
}

std::string storage_query(const std::vector<SnapshotTable>& tables) {
  std::string oids;
  for (const auto& table : tables) oids += (oids.empty() ? "" : ",") + std::to_string(table.oid);
  return "SELECT r.oid || ':' || pg_relation_filenode(r.oid) FROM (SELECT unnest('{" + oids +
         "}'::oid[]) AS oid UNION SELECT p.relid::oid FROM unnest('{" + oids +
         "}'::oid[]) AS t(oid), LATERAL pg_partition_tree(t.oid::regclass) AS p) AS r "
         "WHERE pg_relation_filenode(r.oid) IS NOT NULL ORDER BY 1";
}

std::string lock_statement(const std::vector<SnapshotTable>& tables) {
  std::string names;
  for (const auto& t : tables) names += (names.empty() ? "" : ", ") + quote_table(t.schema, t.name);
  return "LOCK TABLE " + names + " IN ACCESS SHARE MODE";
}

std::string rows_query(const SnapshotTable& table, bool resumed, bool after_key) {
  std::string sql = "SELECT " + all_columns(table) + from(table);
  if (resumed) sql += std::string(" WHERE ") + kWasVisible;
  if (after_key) sql += (resumed ? " AND " : " WHERE ") + after_key_condition(table, resumed ? 3 : 1);
  return sql + " ORDER BY " + column_list(table, table.order);
}

std::string ambiguous_rows_query(const SnapshotTable& table) {
  return "SELECT EXISTS (SELECT" + from(table) + " WHERE NOT " + kWasVisible + ")";
}

std::optional<std::string> readable_snapshot(std::string_view snapshot_text) {
  const auto parts = parse_snapshot(snapshot_text);
  if (!parts) return std::nullopt;
  if (parts->xmin <= parts->xmax) return std::string(snapshot_text);
  const auto xmin = std::to_string(parts->xmin);
  return xmin + ':' + xmin + ':';  // who was in progress below xmin is decided
}

std::optional<std::uint64_t> resume_horizon(std::string_view snapshot_text) {
  const auto parts = parse_snapshot(snapshot_text);
  if (!parts) return std::nullopt;
  return parts->xmax + kResumeHorizon;
}

}  // namespace relay::connectors::postgres
