#include "connectors/postgres/capture_checks.h"

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

void add_unique(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

const std::vector<std::string>& aggregate_columns(const TableCapture& capture, const TableFacts& table) {
  return capture.aggregate_id.empty() ? table.key : capture.aggregate_id;
}

std::string tables_entry(const SlotSourceConfig& config) { return "pipelines." + config.pipeline + ".source.tables"; }

void check_columns(const SlotSourceConfig& config, const TableCapture& capture, const TableFacts& table,
                   const PublicationFacts* publication, Problems& out) {
  std::string present;
  for (const auto& c : table.columns) present += (present.empty() ? "" : ", ") + c.name;
  auto names = named_columns(capture, table);
  for (const auto& name : capture.exclude_columns) add_unique(names, name);
  for (const auto& name : names) {
    const auto* column = table.column(name);
    if (column && (!column->generated || is_sent(publication, table, *column))) continue;
    out.push_back({ErrorKind::fatal, "table_column_missing", "table " + table.name(),
                   "the captured table " + table.name() +
                       (column ? " has " + quote_identifier(name) + " as a generated column, which is not published"
                               : " has no column " + quote_identifier(name) + "; its columns are: " + present),
                   "name another column", tables_entry(config)});
  }
}

// Columns whose old values a rule looks at.
std::vector<std::string> old_columns(const TableCapture& capture) {
  std::vector<std::string> names;
  for (const auto& rule : capture.events) {
    for (const auto& name : rule.of) add_unique(names, name);
    if (rule.when)
      for (const auto& column : rule.when->columns())
        if (column.old) add_unique(names, column.name);
  }
  return names;
}

// What an ALTER of the identity to FULL would break is advised against.
std::string wider_identity_sql(const TableFacts& table, const PublicationFacts* publication) {
  auto full = table;
  full.identity_full = true;
  full.table.replica_identity = true;
  if (why_updates_fail(publication, full).empty()) return full_identity_sql(table);
  return "ALTER TABLE " + quote_table(table.table.schema, table.table.name) +
         " REPLICA IDENTITY USING INDEX UNIQUE_INDEX;   -- one that holds the column; FULL would make UPDATE fail here";
}

void check_identity(const TableCapture& capture, const TableFacts& table, const PublicationFacts* publication, Problems& out) {
  const auto add = [&](const char* code, std::string message, std::string advice) {
    out.push_back({ErrorKind::fatal, code, "table " + table.name(), std::move(message), std::move(advice),
                   wider_identity_sql(table, publication)});
  };
  for (auto& problem : mixed_identity_problems(table)) out.push_back(std::move(problem));
  if (!capture.wants(Operation::update) && !capture.wants(Operation::remove)) return;
  if (!table.table.replica_identity) {
    add("replica_identity_missing",
        table.name() +
            " has no replica identity (no primary key, or REPLICA IDENTITY NOTHING), so its updates and deletes cannot be "
            "published; publishing them would make each of the application's fail",
        "give it one (takes ACCESS EXCLUSIVE for an instant), or capture inserts only");
    return;
  }
  if (table.identity_full) return;
  const auto check = [&](const std::string& name, const char* what) {
    if (!table.column(name) || table.identity_columns.contains(name)) return;
    add("replica_identity_insufficient",
        std::string(what) + " needs the old value of " + quote_identifier(name) + " of " + table.name() +
            ", which its replica identity does not hold",
        "send whole old rows (takes ACCESS EXCLUSIVE for an instant, and writes more WAL)");
  };
  for (const auto& name : aggregate_columns(capture, table)) check(name, "the aggregate id of updates and deletes");
  for (const auto& name : old_columns(capture)) check(name, "a rule of source.tables.events");
}

}  // namespace

std::string full_identity_sql(const TableFacts& table) {
  const auto one = "ALTER TABLE " + quote_table(table.table.schema, table.table.name) + " REPLICA IDENTITY FULL;";
  return table.table.partitioned ? one + "   -- and the same for each of its partitions" : one;
}

Problems mixed_identity_problems(const TableFacts& table) {
  if (!table.identity_mixed) return {};
  return {{ErrorKind::fatal, "replica_identity_mixed", "table " + table.name(),
           "the partitions of " + table.name() + " and the table itself have different replica identities, so that old rows "
           "would arrive with values left out",
           "give all of them the same", full_identity_sql(table)}};
}

std::vector<std::string> named_columns(const TableCapture& capture, const TableFacts& table) {
  std::vector<std::string> names;
  for (const auto* list : {&aggregate_columns(capture, table), &capture.columns, &capture.header_columns})
    for (const auto& name : *list) add_unique(names, name);
  for (const auto& rule : capture.events) {
    for (const auto& name : rule.of) add_unique(names, name);
    if (rule.when)
      for (const auto& column : rule.when->columns()) add_unique(names, column.name);
  }
  return names;
}

std::vector<std::string> captured_columns(const TableCapture& capture, const TableFacts& table,
                                          const PublicationFacts* publication) {
  const auto named = named_columns(capture, table);
  std::vector<std::string> names;
  for (const auto& column : table.columns) {
    const bool is_named = std::find(named.begin(), named.end(), column.name) != named.end();
    const bool by_default = capture.columns.empty() && is_sent(publication, table, column);
    if (is_named || by_default) names.push_back(column.name);
  }
  return names;
}

void check_capture(const SlotSourceConfig& config, const TableCapture& capture, const TableFacts& table,
                   const PublicationFacts* publication, Problems& out) {
  check_columns(config, capture, table, publication, out);
  if (aggregate_columns(capture, table).empty())
    out.push_back({ErrorKind::fatal, "aggregate_id_missing", "table " + table.name(),
                   table.name() + " has no primary key, so nothing says which of its events belong together",
                   "name the columns that do", tables_entry(config) + ": [{table: " + table.name() + ", aggregate_id: [COLUMN]}]"});
  check_identity(capture, table, publication, out);
  if (table.unlogged)
    out.push_back({ErrorKind::fatal, "table_unlogged", "table " + table.name(),
                   "the captured table " + table.name() + " is unlogged (or a partition of it is), so its rows are not in the WAL",
                   "", "ALTER TABLE " + quote_table(table.table.schema, table.table.name) + " SET LOGGED;"});
}

void check_operations(const SlotSourceConfig& config, const TableCapture& capture, const TableFacts& table,
                      const PublicationFacts& publication, Problems& out) {
  std::string missing;
  for (const auto& [operation, published] :
       {std::pair{Operation::insert, publication.inserts}, {Operation::update, publication.updates},
        {Operation::remove, publication.deletes}, {Operation::truncate, publication.truncates}})
    if (capture.wants(operation) && !published) missing += (missing.empty() ? "" : ", ") + std::string(name_of(operation));
  if (missing.empty()) return;
  out.push_back({ErrorKind::fatal, "publication_operation_missing", "publication " + config.publication,
                 "the publication " + quote_identifier(config.publication) + " does not publish " + missing +
                     ", for which source.tables has rules on " + table.name(),
                 "publish it (every table in it needs a replica identity then)",
                 "ALTER PUBLICATION " + quote_identifier(config.publication) +
                     " SET (publish = 'insert, update, delete, truncate');"});
}

}  // namespace relay::connectors::postgres
