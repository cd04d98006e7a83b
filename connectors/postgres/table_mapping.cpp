#include "connectors/postgres/table_mapping.h"

#include <algorithm>

#include "connectors/postgres/sql_session.h"
#include "relay/base/json_text.h"

namespace relay::connectors::postgres {
namespace {

constexpr std::string_view kOperation = "operation", kChanged = "changed_columns", kMissing = "missing_columns",
                           kMovedFrom = "key_changed_from", kMovedTo = "key_changed_to";

std::string with_names(std::string text, const std::string& schema, const std::string& table) {
  if (text.empty()) return table;
  for (const auto& [placeholder, value] : {std::pair{std::string("{schema}"), schema}, {std::string("{table}"), table}})
    for (auto at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + value.size()))
      text.replace(at, placeholder.size(), value);
  return text;
}

bool contains(const std::vector<std::string>& items, const std::string& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

std::string list_of(const std::vector<ColumnInfo>& columns) {
  std::string text;
  for (const auto& column : columns) text += (text.empty() ? "" : ", ") + column.name;
  return text;
}

std::string_view value_of(std::span<const ColumnText> row, std::size_t column) {
  return column < row.size() ? row[column].text : std::string_view{};
}

// Several columns with colons between them; a colon or backslash inside of one has a backslash in front.
void join(std::span<const ColumnText> row, const std::vector<std::size_t>& columns, std::string& out) {
  out.clear();
  for (const auto i : columns) {
    const auto value = value_of(row, i);
    if (columns.size() == 1) {
      out += value;
      return;
    }
    if (i != columns.front()) out += ':';
    for (const char c : value) {
      if (c == ':' || c == '\\') out += '\\';
      out += c;
    }
  }
}

// Memory that is kept from row to row, so that none is asked for: of each thread that maps rows.
struct Scratch {
  static constexpr std::size_t kKept = 1u << 20;
  std::string payload, aggregate, list;
  std::vector<std::string_view> values;

  void begin_row() {
    if (payload.capacity() > kKept) payload = std::string();
    payload.clear();
  }
};
thread_local Scratch scratch;

bool same(std::string_view a, std::string_view b) { return (a.data() == nullptr) == (b.data() == nullptr) && a == b; }

}  // namespace

TableMapping::TableMapping(const TableCapture& capture, TableShape shape)
    : capture_(capture),
      shape_(std::move(shape)),
      types_(shape_.types),
      table_(shape_.schema + '.' + shape_.name),
      aggregate_type_(with_names(capture.aggregate_type, shape_.schema, shape_.name)) {}

Result<std::unique_ptr<TableMapping>> TableMapping::make(const TableCapture& capture, TableShape shape) {
  std::unique_ptr<TableMapping> mapping(new TableMapping(capture, std::move(shape)));
  RELAY_TRY(mapping->find_aggregate_id());
  RELAY_TRY(mapping->find_payload());
  RELAY_TRY(mapping->find_rules());
  return mapping;
}

Result<std::size_t> TableMapping::find(const std::string& name, const char* use) const {
  const auto at = std::find_if(shape_.columns.begin(), shape_.columns.end(), [&](const ColumnInfo& c) { return c.name == name; });
  if (at != shape_.columns.end()) return static_cast<std::size_t>(at - shape_.columns.begin());
  return fail(ErrorKind::fatal, "table_column_missing",
              "capturing table " + table_ + ": column " + name + ", configured in " + use +
                  ", is not there or not published (it has: " + list_of(shape_.columns) + ")",
              "name the right column in source.tables, or add it to the table and the publication's column list");
}

// What is needed of the old row must be part of the replica identity, or it never arrives.
Result<void> TableMapping::needs_old(std::size_t column, const std::string& why) const {
  if (in_identity(column)) return {};
  return fail(ErrorKind::fatal, "replica_identity_insufficient",
              "capturing table " + table_ + ": " + why + " needs the old value of column " + column_at(column).name +
                  ", which the table's replica identity does not hold",
              "ALTER TABLE " + quote_table(shape_.schema, shape_.name) +
                  " REPLICA IDENTITY FULL;   -- and on each partition. For what was written without it, take what needs "
                  "the old value out of source.tables until that is delivered");
}

Result<void> TableMapping::find_aggregate_id() {
  const auto& names = capture_.aggregate_id.empty() ? shape_.key : capture_.aggregate_id;
  if (names.empty())
    return fail(ErrorKind::fatal, "aggregate_id_missing",
                "capturing table " + table_ + ": it has no primary key, so nothing says which events belong together",
                "name the columns in source.tables: aggregate_id: [COLUMN]");
  for (const auto& name : names) {
    RELAY_ASSIGN(const auto column, find(name, "aggregate_id"));
    if (capture_.wants(Operation::update) || capture_.wants(Operation::remove))
      RELAY_TRY(needs_old(column, "the aggregate id of updates and deletes"));
    aggregate_id_.push_back(column);
  }
  for (const auto& name : shape_.key) {
    const auto at = std::find_if(shape_.columns.begin(), shape_.columns.end(), [&](const auto& c) { return c.name == name; });
    if (at != shape_.columns.end()) key_.push_back(static_cast<std::size_t>(at - shape_.columns.begin()));
  }
  return {};
}

Result<void> TableMapping::find_payload() {
  for (const auto* names : {&capture_.columns, &capture_.exclude_columns})
    for (const auto& name : *names) RELAY_TRY(find(name, names == &capture_.columns ? "columns" : "exclude_columns"));
  for (std::size_t i = 0; i < shape_.columns.size(); ++i) {
    const auto& name = column_at(i).name;
    if (contains(capture_.exclude_columns, name)) continue;
    if (!capture_.columns.empty() && !contains(capture_.columns, name)) continue;
    std::string text;
    append_quoted(name, text);
    payload_.push_back(i);
    payload_names_.push_back(text + ':');
    payload_types_.push_back(types_.find(column_at(i).type_oid));
  }
  for (const auto& name : capture_.header_columns) {
    RELAY_ASSIGN(const auto column, find(name, "header_columns"));
    headers_.push_back({column, name});
  }
  return {};
}

Result<void> TableMapping::find_rules() {
  for (const auto& rule : capture_.events) {
    Rule found{&rule, {}, {}};
    for (const auto& name : rule.of) {
      RELAY_ASSIGN(const auto column, find(name, "events.of"));
      RELAY_TRY(needs_old(column, "'of' of event " + rule.type));
      found.of.push_back(column);
    }
    if (rule.when)
      for (const auto& [old, name] : rule.when->columns()) {
        RELAY_ASSIGN(const auto column, find(name, "events.when"));
        if (old) RELAY_TRY(needs_old(column, "'when' of event " + rule.type));
        found.when.push_back(column);
      }
    rules_.push_back(std::move(found));
  }
  return {};
}

bool TableMapping::changes_aggregate(const RowChange& update) const {
  if (update.old_row.empty()) return false;  // the key did not change, and the aggregate id is a part of it
  return std::any_of(aggregate_id_.begin(), aggregate_id_.end(), [&](std::size_t i) { return differs(i, update); });
}

void TableMapping::aggregate_id(std::span<const ColumnText> row, std::string& out) const { join(row, aggregate_id_, out); }
void TableMapping::row_key(std::span<const ColumnText> row, std::string& out) const { join(row, key_, out); }

// REQUIRES: the old value is part of what an update sends when it changes.
bool TableMapping::differs(std::size_t column, const RowChange& change) const {
  if (change.old_row.empty() || change.new_row.empty() || change.new_row[column].unchanged_toast) return false;
  if (!change.old_is_whole && !column_at(column).key) return false;
  return !same(value_of(change.old_row, column), value_of(change.new_row, column));
}

bool TableMapping::fits(const Rule& rule, const RowChange& change) const {
  const auto on = rule.rule->on;
  const bool initial = change.operation == Operation::snapshot && on == Operation::insert && !capture_.wants(Operation::snapshot);
  if (on != change.operation && !initial) return false;
  if (!rule.of.empty() && std::none_of(rule.of.begin(), rule.of.end(), [&](auto i) { return differs(i, change); }))
    return false;
  if (!rule.rule->when) return true;
  auto& values = scratch.values;
  values.clear();
  const auto& wanted = rule.rule->when->columns();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    // An update without an old row did not change what its replica identity holds.
    const bool unsent = wanted[i].old && change.operation == Operation::update && change.old_row.empty();
    values.push_back(value_of(wanted[i].old && !unsent ? change.old_row : change.new_row, rule.when[i]));
  }
  return rule.rule->when->holds(values);
}

// The server does not send a large value that did not change; a condition must not take it for NULL.
bool TableMapping::looks_at_unsent(const Rule& rule, const RowChange& change) const {
  if (rule.rule->on != change.operation) return false;
  return std::any_of(rule.when.begin(), rule.when.end(),
                     [&](auto i) { return i < change.new_row.size() && change.new_row[i].unchanged_toast; });
}

const EventRule* TableMapping::rule_for(const RowChange& change, bool& unsent) const {
  for (const auto& rule : rules_) {
    unsent = looks_at_unsent(rule, change);
    if (unsent || fits(rule, change)) return rule.rule;
  }
  return nullptr;
}

bool TableMapping::write_row(std::span<const ColumnText> row, bool key_only, std::string& out) const {
  out += '{';
  bool first = true;
  for (std::size_t i = 0; i < payload_.size(); ++i) {
    const auto column = payload_[i];
    if (row.empty() || row[column].unchanged_toast || (key_only && !column_at(column).key)) continue;
    if (!first) out += ',';
    first = false;
    out += payload_names_[i];
    const auto value = row[column].text;
    if (value.data() == nullptr)
      out += "null";
    else if (!append_json(*payload_types_[i], value, out))
      return false;
  }
  out += '}';
  return true;
}

// What is kept of a row that is no JSON: nothing is lost, and nothing needs to be text.
void TableMapping::write_hexadecimal(std::span<const ColumnText> row, std::string& out) const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out = '{';
  for (std::size_t i = 0; i < payload_.size() && !row.empty(); ++i) {
    const auto& value = row[payload_[i]];
    if (value.unchanged_toast) continue;
    if (out.size() > 1) out += ',';
    out += payload_names_[i];
    if (value.text.data() == nullptr) {
      out += "null";
      continue;
    }
    out += '"';
    for (const auto c : value.text)
      (out += kDigits[static_cast<unsigned char>(c) >> 4]) += kDigits[static_cast<unsigned char>(c) & 15];
    out += '"';
  }
  out += '}';
}

void TableMapping::write_changed(const RowChange& change, std::string& out) const {
  out += '[';
  for (const auto i : payload_)
    if (differs(i, change)) {
      if (out.back() != '[') out += ',';
      append_quoted(column_at(i).name, out);
    }
  out += ']';
}

// The columns whose values did not change and were not sent, and that nothing else tells. False: there are none.
bool TableMapping::write_missing(const RowChange& change, std::string& out) const {
  out += '[';
  const auto add = [&](std::size_t i) {
    if (i >= change.new_row.size() || !change.new_row[i].unchanged_toast) return;
    if (out.back() != '[') out += ',';
    append_quoted(column_at(i).name, out);
  };
  for (const auto i : payload_) add(i);
  for (const auto& header : headers_)
    if (std::find(payload_.begin(), payload_.end(), header.column) == payload_.end()) add(header.column);
  out += ']';
  return out != "[]";
}

bool TableMapping::write_change(const RowChange& change, std::string& out) const {
  out += "{\"operation\":";
  append_quoted(name_of(change.operation), out);
  out += ",\"table\":";
  append_quoted(table_, out);
  out += ",\"old\":";
  if (change.old_row.empty())
    out += "null";
  else if (!write_row(change.old_row, !change.old_is_whole, out))
    return false;
  out += ",\"new\":";
  if (change.new_row.empty())
    out += "null";
  else if (!write_row(change.new_row, false, out))
    return false;
  if (change.operation == Operation::update && change.old_is_whole) {
    out += ",\"changed\":";
    write_changed(change, out);
  }
  auto& list = scratch.list;
  list.clear();
  if (write_missing(change, list)) (out += ",\"missing\":") += list;
  out += '}';
  return true;
}

bool TableMapping::write_payload(const RowChange& change, std::string& out) const {
  if (capture_.payload == TablePayload::change) return write_change(change, out);
  if (change.operation == Operation::remove) return write_row(change.old_row, !change.old_is_whole, out);
  return write_row(change.new_row, false, out);
}

void TableMapping::add_headers(const RowChange& change, Event& event, Batch& batch) const {
  auto& arena = batch.arena();
  const auto headers = arena.array<Header>(headers_.size() + 4);
  std::size_t n = 0;
  headers[n++] = {kOperation, name_of(change.operation)};
  auto& list = scratch.list;
  list.clear();
  if (change.operation == Operation::update && change.old_is_whole) {
    write_changed(change, list);
    headers[n++] = {kChanged, arena.copy(list)};
  }
  list.clear();
  if (write_missing(change, list)) headers[n++] = {kMissing, arena.copy(list)};
  if (change.other_aggregate.data() != nullptr)
    headers[n++] = {change.operation == Operation::remove ? kMovedTo : kMovedFrom, arena.copy(change.other_aggregate)};
  const auto row = change.new_row.empty() ? change.old_row : change.new_row;
  const bool key_only = change.operation == Operation::remove && !change.old_is_whole;
  for (const auto& header : headers_)
    if (header.column < row.size() && !row[header.column].unchanged_toast && !(key_only && !column_at(header.column).key))
      headers[n++] = {header.name, arena.copy(value_of(row, header.column))};
  event.headers = headers.first(n);
}

std::size_t TableMapping::header_bytes(const RowChange& change) const {
  const auto row = change.new_row.empty() ? change.old_row : change.new_row;
  std::size_t bytes = 0;
  for (const auto& header : headers_) bytes += value_of(row, header.column).size();
  return bytes;
}

Captured TableMapping::append(const RowChange& change, const RowPlace& place, Batch& batch) const {
  bool unsent = false;
  const auto* rule = rule_for(change, unsent);
  if (!rule) return Captured::nothing;
  auto& arena = batch.arena();
  auto& [payload, aggregate, list, values] = scratch;
  scratch.begin_row();
  const bool readable = write_payload(change, payload);
  const auto row = change.operation == Operation::remove ? change.old_row : change.new_row;
  if (!readable) write_hexadecimal(row, payload);
  aggregate_id(row, aggregate);
  const bool has_id = std::any_of(aggregate_id_.begin(), aggregate_id_.end(),
                                  [&](auto i) { return value_of(row, i).data() != nullptr; });
  Event& event = batch.add(payload.size() + aggregate.size() + header_bytes(change));
  event.id = place_as_id(place, arena);
  event.aggregate_type = aggregate_type_;
  if (has_id) event.aggregate_id = arena.copy(aggregate);
  event.event_type = rule->type;
  event.payload = arena.copy(payload);
  add_headers(change, event, batch);
  set_place(event, place, table_);
  if (!readable)
    reject(event, "value_unreadable",
           "a value of the row is not what its column's type says, or no UTF-8; the payload has the text of all values in "
           "hexadecimal form");
  const auto is_unsent = [&](std::size_t i) { return i < change.new_row.size() && change.new_row[i].unchanged_toast; };
  if (unsent || std::any_of(aggregate_id_.begin(), aggregate_id_.end(), is_unsent))
    reject(event, "value_not_sent",
           "the aggregate id or a condition needs a large value that did not change, which the server did not send "
           "(ALTER TABLE ... REPLICA IDENTITY FULL sends it)");
  const bool gaps = std::any_of(payload_.begin(), payload_.end(), [&](auto i) {
    return i < change.new_row.size() && change.new_row[i].unchanged_toast;
  });
  return gaps ? Captured::event_with_gaps : Captured::event;
}

}  // namespace relay::connectors::postgres
