// One outbox row -> one event. Pure. Knows the roles of the columns of each table by name, so a column that is added,
// dropped or moved while running changes nothing; a role column that is renamed or dropped is a clear refusal.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/slot_source_config.h"
#include "connectors/postgres/table_patterns.h"
#include "relay/base/result.h"
#include "relay/model/batch.h"

namespace relay::connectors::postgres {

// A column as the walsender's Relation message or the snapshot's query names it.
struct ColumnInfo {
  std::string name;
  std::uint32_t type_oid = 0;
  bool key = false;  // part of the replica identity

  bool operator==(const ColumnInfo&) const = default;
};

// A value of a row in PostgreSQL's text form. data() == nullptr: NULL.
struct ColumnText {
  std::string_view text;
  bool unchanged_toast = false;
};

// Where the row stands; copied into the event.
struct RowPlace {
  Lsn commit_lsn, change_lsn;
  std::uint32_t ordinal = 0, xid = 0;
  std::int64_t commit_time_us = 0;
  bool from_snapshot = false;
};

// Where an event comes from. `source` outlives the pipeline.
void set_place(Event& event, const RowPlace& place, std::string_view source);
// "commit LSN-change LSN-ordinal": the id of an event that has none of its own, the same at every attempt.
std::string_view place_as_id(const RowPlace& place, Arena& arena);
void reject(Event& event, std::string_view code, std::string_view reason);

// The mapping of one table's present columns. Immutable. Events refer to its strings, so it must outlive the pipeline:
// whoever makes mappings keeps them, also after the table has changed.
class OutboxMapping {
 public:
  // Kind fatal, code outbox_column_missing, when a role's column, or a named header column, is not there.
  static Result<std::unique_ptr<OutboxMapping>> make(const SlotSourceConfig& config, std::string table,
                                                     std::vector<ColumnInfo> columns);

  // Appends the event. REQUIRES: one entry in `row` for each of columns(), none of them unchanged_toast. A row that can
  // be no event (no id; NULL payload when that is no tombstone) is appended with Disposition::reject and its reason. No
  // allocation but in the batch's arena.
  void append(std::span<const ColumnText> row, const RowPlace& place, Batch& batch) const;

  const std::string& table() const { return table_; }
  const std::vector<ColumnInfo>& columns() const { return columns_; }
  std::size_t id_index() const { return id_; }  // into columns()

 private:
  OutboxMapping() = default;
  struct HeaderColumn {
    std::size_t index;
    std::string name;
  };
  Result<void> find_roles(const SlotSourceConfig& config);
  Result<void> find_headers(const SlotSourceConfig& config);
  Result<std::size_t> find(const std::string& name, const char* role) const;

  static constexpr std::size_t kNoColumn = static_cast<std::size_t>(-1);  // of a role that is not used
  std::string table_;
  std::vector<ColumnInfo> columns_;
  std::size_t id_ = 0, aggregate_type_ = 0, aggregate_id_ = 0, event_type_ = 0, payload_ = 0;
  std::vector<HeaderColumn> headers_;
  bool payload_is_bytea_ = false;
  bool null_payload_is_tombstone_ = false;
};

}  // namespace relay::connectors::postgres
