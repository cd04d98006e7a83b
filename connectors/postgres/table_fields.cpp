#include "connectors/postgres/table_fields.h"

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

using namespace config;

constexpr std::size_t kNameBytesMax = 63;  // NAMEDATALEN - 1: the server would cut a longer name

std::optional<std::string> check_aggregate_type(const std::string& text) {
  for (auto at = text.find('{'); at != std::string::npos; at = text.find('{', at + 1))
    if (!text.substr(at).starts_with("{schema}") && !text.substr(at).starts_with("{table}"))
      return "only {schema} and {table} are replaced in it";
  return std::nullopt;
}

std::optional<std::string> check_condition(const std::string& text) {
  const auto parsed = ChangeCondition::parse(text);
  if (parsed) return std::nullopt;
  return parsed.error();
}

FieldSpec column_list(const char* name, const char* description) {
  return list(name, description, text("", "A column.").checked(check_name));
}

FieldSpec events_field() {
  auto rule = object(
      "", "One rule.",
      {text("operation", "What happened to the row. `snapshot`: it was there before the slot; without such a rule, initial "
                         "rows are taken as inserts.")
           .one_of({"insert", "update", "delete", "truncate", "snapshot"})
           .require()
           .for_example("update"),
       text("type", "The event's type.").require().for_example("order_paid"),
       column_list("of", "update: only when one of these columns changed. The old values must be in the table's replica "
                         "identity.")
           .defaults("[]")
           .for_example("[status]"),
       text("when", "Only when this condition is true: old.COLUMN and new.COLUMN, texts in single quotes, numbers, true and "
                    "false, = <> < <= > >=, is [not] null, is [not] distinct from, [not] in (...), and, or, not, brackets; "
                    "with SQL's meaning of NULL.")
           .checked(check_condition)
           .for_example("\"new.status = 'paid'\"")});
  return list("events",
              "Which changes become which events: the first rule that fits decides, and a change that none fits is no event. "
              "Without it, each insert, update and delete is one, and each initial row, with the operation as its type.",
              std::move(rule))
      .for_example("[{operation: insert, type: order_placed}]");
}

EventRule rule_of(const Value& part) {
  static const std::pair<std::string_view, Operation> kOperations[] = {{"insert", Operation::insert},
                                                                       {"update", Operation::update},
                                                                       {"delete", Operation::remove},
                                                                       {"truncate", Operation::truncate},
                                                                       {"snapshot", Operation::snapshot}};
  EventRule rule;
  for (const auto& [name, operation] : kOperations)
    if (part["operation"].as_string() == name) rule.on = operation;
  rule.type = part["type"].as_string();
  for (const auto& column : part["of"].items()) rule.of.push_back(column.as_string());
  if (part["when"]) rule.when = *ChangeCondition::parse(part["when"].as_string());
  return rule;
}

std::vector<std::string> strings(const Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.push_back(item.as_string());
  return out;
}

void validate_rule(const Value& rule, Diagnostics& out) {
  const auto complain = [&](const Value& at, std::string field, std::string message, std::string hint) {
    out.push_back({at.mark(), "source.tables.events." + field, std::move(message), std::move(hint), false});
  };
  if (!rule["operation"] || !rule["type"]) return;
  const auto& operation = rule["operation"].as_string();
  if (operation != "update" && !rule["of"].items().empty())
    complain(rule["of"], "of", "only an update has columns that changed", "remove it, or set operation: update");
  if (!rule["when"]) return;
  const auto condition = ChangeCondition::parse(rule["when"].as_string());
  if (!condition) return;
  for (const auto& column : condition->columns()) {
    const bool has_old = operation == "update" || operation == "delete";
    const bool has_new = operation != "delete" && operation != "truncate";
    if (column.old ? has_old : has_new) continue;
    complain(rule["when"], "when", "the operation " + operation + " has no " + (column.old ? "old" : "new") + " row",
             std::string("write ") + (column.old ? "new." : "old.") + column.name + ", or choose another operation");
  }
}

}  // namespace

std::optional<std::string> check_name(const std::string& name) {
  if (name.empty()) return "a name is needed";
  if (name.size() > kNameBytesMax) return "PostgreSQL's names have 63 bytes at most";
  return std::nullopt;
}

std::optional<std::string> check_table(const std::string& pattern) {
  const auto dot = pattern.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == pattern.size() ||
      pattern.find('.', dot + 1) != std::string::npos)
    return "write it as schema.table, as it is spelled in the database, without quotes";
  return std::nullopt;
}

FieldSpec tables_field() {
  auto table = object(
      "", "One table, or a pattern.",
      {text("table", "schema.table; `*` and `?` match any name or letter within schema or table.")
           .checked(check_table)
           .require()
           .for_example("public.orders"),
       text("aggregate_type", "The events' aggregate type; {schema} and {table} stand for the table's. Without it, the table's name.")
           .checked(check_aggregate_type)
           .for_example("order"),
       column_list("aggregate_id", "The columns that say which aggregate a row belongs to; several are joined with colons. "
                                   "Without it, the table's key.")
           .defaults("[]")
           .for_example("[id]"),
       column_list("columns", "The columns of the payload. Without it, all that are published.").defaults("[]").for_example("[id, status]"),
       column_list("exclude_columns", "Columns that are left out of the payload.").defaults("[]").for_example("[internal_note]"),
       column_list("header_columns", "Columns that become headers.").defaults("[]").for_example("[tenant_id]"),
       text("payload", "`row`: the new row as a JSON object, of a delete the old one; `change`: an object with operation, table, "
                       "old, new and changed.")
           .one_of({"row", "change"})
           .defaults("row"),
       boolean("initial_rows", "Whether `snapshot: initial` reads this table too.").defaults("true"), events_field()});
  table.shorthand = "table";
  return list("tables",
              "Business tables whose row changes become events, without an outbox. The first entry that matches a table counts.",
              std::move(table))
      .defaults("[]")
      .for_example("[public.orders]");
}

void validate_tables(const Value& tables, Diagnostics& out) {
  const auto complain = [&](const Value& at, std::string field, std::string message, std::string hint) {
    out.push_back({at.mark(), "source.tables." + field, std::move(message), std::move(hint), false});
  };
  for (const auto& table : tables.items()) {
    const auto columns = strings(table["columns"]), excluded = strings(table["exclude_columns"]);
    if (!columns.empty() && !excluded.empty())
      complain(table["exclude_columns"], "exclude_columns", "the columns are chosen already by `columns`",
               "keep one of the two");
    if (table["events"] && table["events"].items().empty())
      complain(table["events"], "events", "no change would become an event", "remove events, or write a rule");
    for (const auto& rule : table["events"].items()) validate_rule(rule, out);
  }
}

std::vector<TableCapture> table_captures(const Value& tables) {
  std::vector<TableCapture> out;
  for (const auto& part : tables.items()) {
    TableCapture capture;
    capture.table = part["table"].as_string();
    if (part["aggregate_type"]) capture.aggregate_type = part["aggregate_type"].as_string();
    capture.aggregate_id = strings(part["aggregate_id"]);
    capture.columns = strings(part["columns"]);
    capture.exclude_columns = strings(part["exclude_columns"]);
    capture.header_columns = strings(part["header_columns"]);
    capture.payload = part["payload"].as_string() == "change" ? TablePayload::change : TablePayload::row;
    capture.initial_rows = part["initial_rows"].as_bool();
    for (const auto& rule : part["events"].items()) capture.events.push_back(rule_of(rule));
    if (capture.events.empty())
      for (const auto operation : {Operation::insert, Operation::update, Operation::remove, Operation::snapshot})
        capture.events.push_back({operation, std::string(name_of(operation)), {}, std::nullopt});
    out.push_back(std::move(capture));
  }
  return out;
}

}  // namespace relay::connectors::postgres
