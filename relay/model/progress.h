// The record that decides what was handed over: stored with the events in one Kafka transaction, or in the database for
// sinks without transactions. Its text form is relay/pipeline/progress_json.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/model/position.h"

namespace relay {

enum class ProgressState {
  creating,   // the slot is about to be created; a restart drops it and begins again
  snapshot,   // existing rows are being read; `snapshot` says how far
  streaming,  // the slot's stream
  reset,      // an operator cleared it: as if there were none, except that `sequence` goes on
};

// How far the initial read came. Rows visible in `snapshot_text` (pg_snapshot's text form) and after `last_key` of table
// number `table_index` are still to be read.
struct SnapshotProgress {
  Lsn consistent_point;
  std::string snapshot_text;
  std::uint32_t table_index = 0;
  std::vector<std::string> last_key;  // text form of the order_by columns and the key; empty: nothing of this table yet
  std::vector<std::string> storage;   // "oid:relfilenode" of every table and partition: a rewrite gives all rows a new xmin
  std::uint64_t rows = 0;             // over all tables
  std::uint32_t resumed = 0;          // how often it was taken up again after a restart
  Lsn resumed_at;                     // WAL insert position when it was last taken up again; 0 when never

  bool operator==(const SnapshotProgress&) const = default;
};

struct Progress {
  static constexpr int kFormatVersion = 1;  // version n reads n-1

  ProgressState state = ProgressState::streaming;
  std::string pipeline;
  std::string cluster_id;         // of Kafka; empty for stores in the database
  std::string system_identifier;  // of the PostgreSQL cluster
  std::uint32_t timeline = 0;
  std::string slot;               // with row ids: the column and the sequence that they come from
  PlaceKind place = PlaceKind::lsn;  // what position and end_lsn count
  Position position;              // of the last event handed over
  Lsn end_lsn;                    // everything below is handed over or was not ours; nothing above is ever confirmed
  std::uint64_t sequence = 0;     // of the last event handed over; 1, 2, 3 ... without a gap
  SnapshotProgress snapshot;      // meaningful in state snapshot; kept afterwards for the changed-rows check
  std::string fingerprint;        // of the configuration that shapes the stream
  std::int64_t written_at_us = 0; // wall clock of the relay, microseconds since 1970

  bool operator==(const Progress&) const = default;
};

}  // namespace relay
