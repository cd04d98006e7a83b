// The validated configuration of `source: {type: slot}` as plain values; made by component.cpp from config::Value.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/table_capture.h"

namespace relay::connectors::postgres {

// Names of the outbox columns by role. An empty optional role is not used.
struct OutboxColumns {
  std::string id = "id";
  std::string aggregate_type = "aggregatetype";
  std::string aggregate_id = "aggregateid";
  std::string event_type = "type";
  std::string payload = "payload";
};

// Logical messages as events; see message_events.h.
struct MessageSource {
  std::string prefix;                      // of pg_logical_emit_message
  bool null_payload_is_tombstone = false;  // otherwise a payload that is null or missing is a rejected event
};

enum class SnapshotMode { unset, initial, never };
enum class OnChangedRow { refuse, report };  // rows changed while a resumed initial read was under way

struct SlotSourceConfig {
  ConnectionConfig connection;
  std::string pipeline;
  std::string slot;
  std::string publication;
  bool create_publication = false;
  bool create_slot = false;
  bool create_tables = false;
  bool failover = false;  // the slot is synchronised to standbys (17 and later)
  SnapshotMode snapshot = SnapshotMode::unset;
  std::vector<std::string> snapshot_order_by;  // columns; empty: the key
  OnChangedRow on_changed_row = OnChangedRow::refuse;
  std::optional<MessageSource> messages;
  std::vector<std::string> outbox_tables;  // "schema.table", `*` and `?` allowed in both parts; may be none
  std::vector<TableCapture> tables;        // business tables; one that is an outbox too is an outbox
  OutboxColumns columns;
  std::vector<std::string> header_columns;  // additional columns to headers; "*": every column without a role
  bool null_payload_is_tombstone = false;   // otherwise a NULL payload is a rejected event
  bool unmatched_tables_ignored = false;    // a published table that matches nothing: ignore, or refuse
  Millis status_interval{2'000};

  std::vector<std::string> table_patterns() const;  // of outboxes and business tables
  bool is_outbox(std::string_view table) const;
  const TableCapture* capture_of(std::string_view table) const;  // null: none, or an outbox
};

}  // namespace relay::connectors::postgres
