#include "connectors/postgres/table_capture.h"

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

// Each item with its length in front, so that no two lists give the same text.
std::string listed(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const auto& item : items) text += std::to_string(item.size()) + ':' + item + ',';
  return text + ']';
}

}  // namespace

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::insert: return "insert";
    case Operation::update: return "update";
    case Operation::remove: return "delete";
    case Operation::truncate: return "truncate";
    case Operation::snapshot: return "snapshot";
  }
  return "";
}

bool TableCapture::wants(Operation operation) const {
  return std::any_of(events.begin(), events.end(), [&](const EventRule& rule) { return rule.on == operation; });
}

std::string fingerprint(const TableCapture& c) {
  std::string text = listed({c.table, c.aggregate_type}) + listed(c.aggregate_id) + listed(c.columns) +
                     listed(c.exclude_columns) + listed(c.header_columns) +
                     (c.payload == TablePayload::row ? "row" : "change") + (c.initial_rows ? "" : ",later");
  for (const auto& rule : c.events)
    text += listed({std::string(name_of(rule.on)), rule.type, rule.when ? rule.when->text() : ""}) + listed(rule.of);
  return text;
}

}  // namespace relay::connectors::postgres
