// Existing rows first: reads the outbox tables as they stood at the slot's consistent point, in order, as events; and
// goes on after a restart with the rows that the stored snapshot text made visible (see
// relay/../connectors/postgres/README.md, "Initial rows"). Its own libpq connection, non-blocking: the caller polls
// socket() beside its other sockets.
#pragma once

#include <memory>
#include <string>

#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/slot_source_config.h"
#include "relay/base/result.h"
#include "relay/model/batch.h"
#include "relay/model/progress.h"

namespace relay::connectors::postgres {

class SnapshotReader {
 public:
  // First: locks the tables ACCESS SHARE, before the slot exists. Blocking, bounded by lock_timeout.
  static Result<std::unique_ptr<SnapshotReader>> lock_tables(const SlotSourceConfig& config);
  // Then, the slot created: SET TRANSACTION SNAPSHOT; returns its text form (pg_current_snapshot() in that session).
  Result<SnapshotProgress> import(const std::string& exported_snapshot, Lsn consistent_point);
  // Or, after a restart: a new session that reads what `from` leaves to be read. Sets resumed and resumed_at.
  static Result<std::unique_ptr<SnapshotReader>> resume(const SlotSourceConfig& config, SnapshotProgress from);

  ~SnapshotReader();

  int socket() const;
  bool wants_write() const;

  enum class Read { more, would_block, finished };
  // Appends rows until the batch is full or nothing more is there; marks a boundary after every row, with
  // batch.progress .state and .snapshot. Never waits. `place.commit_lsn` of every row is the consistent point.
  Result<Read> read(Batch& batch);

  const SnapshotProgress& progress() const;

 private:
  class Impl;
  explicit SnapshotReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace relay::connectors::postgres
