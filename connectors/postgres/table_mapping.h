// One row change of a business table -> one event. Pure. The rules are table_capture.h's; the payload is JSON with the
// right types (json_value.h). Immutable; events refer to its strings, so it must outlive the pipeline, like OutboxMapping.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/json_types.h"
#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/table_capture.h"

namespace relay::connectors::postgres {

// What is known of a table's rows. A mapping is made for one shape.
struct TableShape {
  std::string schema, name;
  std::vector<ColumnInfo> columns;
  char identity = 'd';           // pg_class.relreplident; the columns say which are part of it
  std::vector<std::string> key;  // of the table; may be empty
  std::vector<TypeFacts> types;  // of the columns' types that are not built in

  bool operator==(const TableShape&) const = default;
};

// What a table's change comes with. A row has one entry for each of columns(), or none at all when it was not sent.
struct RowChange {
  Operation operation = Operation::insert;
  std::span<const ColumnText> old_row, new_row;
  bool old_is_whole = false;          // REPLICA IDENTITY FULL; otherwise only key columns of old_row mean something
  std::string_view other_aggregate;   // of a row whose aggregate id changed: the id in the other event of the two
};

// What became of a change.
enum class Captured { nothing, event, event_with_gaps };  // gaps: values that the server did not send

class TableMapping {
 public:
  // Kind fatal, codes table_column_missing, aggregate_id_missing, replica_identity_insufficient.
  static Result<std::unique_ptr<TableMapping>> make(const TableCapture& capture, TableShape shape);

  // An update whose row goes from one aggregate to another: it is delivered as the end of the one (delete) and the
  // beginning of the other (insert).
  bool changes_aggregate(const RowChange& update) const;
  // Written into `out`, which append()'s other_aggregate may point to.
  void aggregate_id(std::span<const ColumnText> row, std::string& out) const;
  // The table's key, in the same form; empty when it has none.
  void row_key(std::span<const ColumnText> row, std::string& out) const;

  // Appends the event, if it is to be one. A value that cannot be read makes a rejected event. `place` as in OutboxMapping.
  Captured append(const RowChange& change, const RowPlace& place, Batch& batch) const;

  bool wants(Operation operation) const { return capture_.wants(operation); }
  bool takes_initial_rows() const { return capture_.takes_initial_rows(); }
  const std::string& table() const { return table_; }
  const TableShape& shape() const { return shape_; }

 private:
  struct Rule {
    const EventRule* rule;
    std::vector<std::size_t> of;    // columns
    std::vector<std::size_t> when;  // columns, in the order of rule->when->columns()
  };
  struct Named {
    std::size_t column;
    std::string name;
  };

  TableMapping(const TableCapture& capture, TableShape shape);
  Result<void> find_aggregate_id();
  Result<void> find_payload();
  Result<void> find_rules();
  Result<std::size_t> find(const std::string& name, const char* use) const;
  Result<void> needs_old(std::size_t column, const std::string& why) const;
  bool in_identity(std::size_t column) const { return shape_.identity == 'f' || column_at(column).key; }
  const ColumnInfo& column_at(std::size_t column) const { return shape_.columns[column]; }

  const EventRule* rule_for(const RowChange& change, bool& unsent) const;
  bool fits(const Rule& rule, const RowChange& change) const;
  bool looks_at_unsent(const Rule& rule, const RowChange& change) const;
  bool differs(std::size_t column, const RowChange& change) const;
  bool write_payload(const RowChange& change, std::string& out) const;
  bool write_row(std::span<const ColumnText> row, bool key_only, std::string& out) const;
  void write_hexadecimal(std::span<const ColumnText> row, std::string& out) const;
  bool write_change(const RowChange& change, std::string& out) const;
  void write_changed(const RowChange& change, std::string& out) const;
  bool write_missing(const RowChange& change, std::string& out) const;
  void add_headers(const RowChange& change, Event& event, Batch& batch) const;
  std::size_t header_bytes(const RowChange& change) const;  // of the configured columns

  const TableCapture capture_;  // a copy: rules and event types stay where events point to
  const TableShape shape_;
  const JsonTypes types_;
  const std::string table_, aggregate_type_;
  std::vector<std::size_t> aggregate_id_, key_;
  std::vector<std::size_t> payload_;               // columns of the payload, in the table's order
  std::vector<std::string> payload_names_;         // of payload_: "name": as JSON
  std::vector<const JsonType*> payload_types_;     // of payload_
  std::vector<Named> headers_;
  std::vector<Rule> rules_;
};

}  // namespace relay::connectors::postgres
