#include "connectors/postgres/poll_query.h"

#include <algorithm>
#include <set>

#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {
namespace {

std::string selected(const std::string& column) { return "t." + quote_identifier(column); }

std::string selected(const std::vector<std::string>& columns) {
  std::string list;
  for (const auto& column : columns) list += (list.empty() ? "" : ", ") + selected(column);
  return list;
}

std::string event_list(const PollTable& table) {
  std::vector<std::string> names;
  for (const auto& column : table.columns) names.push_back(column.name);
  return selected(names);
}

std::string from(const PollTable& table) { return " FROM " + quote_table(table.schema, table.name) + " t"; }

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

PollTable poll_table(const PollSourceConfig& config, const TableFacts& facts) {
  const auto& common = config.common;
  PollTable table{facts.table.schema, facts.table.name, config.id_column, config.xid_column, {}, {}, {}, {}};
  const auto wanted = event_columns(common, facts);
  for (const auto& column : facts.columns) {
    const bool own = column.name == config.id_column || column.name == config.xid_column;
    if (contains(wanted, column.name) && (!own || contains(common.header_columns, column.name)))
      table.columns.push_back({column.name, column.type_oid});
  }
  table.order = common.snapshot_order_by;
  for (const auto& name : facts.key)
    if (!contains(table.order, name)) table.order.push_back(name);
  std::erase_if(table.order, [&](const std::string& name) { return !facts.column(name); });
  for (const auto& name : table.order) {
    table.order_types.push_back(facts.column(name)->type);
    table.order_schemas.push_back(facts.column(name)->type_schema);
  }
  return table;
}

std::string last_id_query(std::string_view schema, std::string_view sequence) {
  const auto name = quote_table(schema, sequence);
  return "SELECT greatest(0, last_value - CASE WHEN is_called THEN 0 ELSE 1 END), (SELECT seqcache FROM pg_sequence WHERE "
         "seqrelid = " + quote_literal(name) + "::regclass) FROM " + name;
}

// A transaction with nothing but an id is not waited for at its commit; a logical message is the cheapest thing to
// write.
std::string barrier_query() {
  return "SELECT pg_current_xact_id(), pg_snapshot_xmin(pg_current_snapshot()), "
         "pg_logical_emit_message(true, 'outbox_relay.poll', '')";
}

std::string oldest_running_query() { return "SELECT pg_snapshot_xmin(pg_current_snapshot())"; }

// Right after a record that ends a page, the insert position is behind the next page's header, which no flush reaches
// before the next record is written (xlog.c: XLogBytePosToRecPtr and XLogBytePosToEndRecPtr). So a position right behind a
// header means the end of the page before it: 24 bytes, or 40 on the first page of a segment.
std::string wal_ends_query() {
  return R"(SELECT CASE WHEN at % block = CASE WHEN at % segment < block THEN 40 ELSE 24 END
            THEN at - at % block ELSE at END, flushed
FROM (SELECT inserted - '0/0' AS at, flushed - '0/0' AS flushed, current_setting('wal_block_size')::numeric AS block,
             pg_size_bytes(current_setting('wal_segment_size'))::numeric AS segment
      FROM (SELECT pg_current_wal_insert_lsn() AS inserted, pg_current_wal_flush_lsn() AS flushed OFFSET 0) e) w)";
}

std::string page_query(const PollTable& table) {
  const auto id = selected(table.id_column);
  return "SELECT " + event_list(table) + ", " + id + ", " + selected(table.xid_column) + from(table) + " WHERE " + id +
         " > $1::bigint AND " + id + " <= $2::bigint ORDER BY " + id + " LIMIT $3::bigint";
}

std::string initial_rows_query(const PollTable& table, bool after_key) {
  const auto order = selected(table.order);
  auto sql =
      "SELECT " + event_list(table) + ", " + order + from(table) + " WHERE " + selected(table.id_column) + " IS NULL";
  if (after_key) {
    std::string values;
    for (std::size_t i = 0; i < table.order.size(); ++i)
      values += (i == 0 ? "$" : ", $") + std::to_string(i + 1) + "::" + table.order_types[i];
    sql += " AND (" + order + ") > (" + values + ")";
  }
  return sql + " ORDER BY " + order;
}

std::string initial_search_path(const PollTable& table) {
  std::set<std::string> schemas(table.order_schemas.begin(), table.order_schemas.end());
  schemas.erase("pg_catalog");
  std::string sql = "SET search_path = pg_catalog";
  for (const auto& schema : schemas) sql += ", " + quote_identifier(schema);
  return sql;
}

// Bare columns first: ADD COLUMN with a volatile default rewrites the table. The default of the transaction id comes to
// be evaluated first because its column does.
std::string add_relay_columns_sql(const PollSourceConfig& config, const TableFacts& table) {
  const auto name = quote_table(table.table.schema, table.table.name);
  const auto id = quote_identifier(config.id_column), xid = quote_identifier(config.xid_column);
  const auto sequence = quote_table(table.table.schema, table.table.name + "_" + config.id_column + "_seq");
  return "BEGIN; SET LOCAL lock_timeout = '300ms'; CREATE SEQUENCE " + sequence + " CACHE 1; GRANT USAGE ON SEQUENCE " +
         sequence + " TO PUBLIC; ALTER TABLE " + name +
         " ADD COLUMN " + xid + " xid8, ADD COLUMN " + id + " bigint; ALTER TABLE " + name + " ALTER COLUMN " + xid +
         " SET DEFAULT pg_current_xact_id(), ALTER COLUMN " + id + " SET DEFAULT nextval(" + quote_literal(sequence) +
         "); ALTER SEQUENCE " + sequence + " OWNED BY " + name + "." + id + "; COMMIT; CREATE INDEX CONCURRENTLY ON " +
         name + " (" + id + ");";
}

std::string poll_fingerprint(const PollSourceConfig& config) {
  const auto& c = config.common.columns;
  const auto list = [](const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + quote_identifier(item);
    return text;
  };
  return "poll=" + list(config.common.outbox_tables) + ";columns=" +
         list({c.id, c.aggregate_type, c.aggregate_id, c.event_type, c.payload, config.id_column, config.xid_column}) +
         ";headers=" + list(config.common.header_columns) +
         ";tombstones=" + (config.common.null_payload_is_tombstone ? "yes" : "no") +
         ";order_by=" + list(config.common.snapshot_order_by);
}

std::string id_source_name(const PollSourceConfig& config, const TableFacts& table, const IdSequenceFacts& sequence) {
  return table.name() + "." + config.id_column + ", sequence " + std::to_string(sequence.oid);
}

}  // namespace relay::connectors::postgres
