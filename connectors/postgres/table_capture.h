// What the configuration says of business tables whose row changes become events, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/change_condition.h"

namespace relay::connectors::postgres {

// What happened to a row. `snapshot`: it was there before the slot.
enum class Operation : std::uint8_t { insert, update, remove, truncate, snapshot };
std::string_view name_of(Operation operation);  // "insert", "update", "delete", "truncate", "snapshot"

// Which changes become an event of which type.
struct EventRule {
  Operation on = Operation::insert;
  std::string type;
  std::vector<std::string> of;            // update: only when one of these columns changed; empty: any
  std::optional<ChangeCondition> when;    // only when it is true
};

enum class TablePayload { row, change };

struct TableCapture {
  std::string table;                      // "schema.table", `*` and `?` allowed in both parts
  std::string aggregate_type;             // {schema} and {table} stand for the table's; empty: the table's name
  std::vector<std::string> aggregate_id;  // columns; empty: the table's key
  std::vector<std::string> columns;       // of the payload; empty: all
  std::vector<std::string> exclude_columns;
  std::vector<std::string> header_columns;
  TablePayload payload = TablePayload::row;
  bool initial_rows = true;               // as far as snapshot: initial wants any
  std::vector<EventRule> events;          // the first that fits decides; none fits: no event

  bool wants(Operation operation) const;
  // The rule for a row that was there before the slot is that of inserts, unless there is one of its own.
  bool takes_initial_rows() const {
    return initial_rows && (wants(Operation::snapshot) || wants(Operation::insert));
  }
};

// Stable text of all of it, for the fingerprint of the stream.
std::string fingerprint(const TableCapture& capture);

}  // namespace relay::connectors::postgres
