// Rows of the polled table, on a connection of its own that never waits: pages of ids, and before them the rows from
// before the relay's columns existed, which have no id. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/poll_query.h"
#include "connectors/postgres/snapshot_reader_connection.h"
#include "relay/model/progress.h"

namespace relay::connectors::postgres {

class PollReader {
 public:
  // `mapping` (of table.columns) outlives every batch. Listens on the channel when it is not empty.
  static Result<std::unique_ptr<PollReader>> open(const PollSourceConfig& config, PollTable table,
                                                  const OutboxMapping& mapping, int server_version);

  // The rows without an id, from where `from` ended.
  Result<void> begin_initial(SnapshotProgress from);
  Result<void> begin_page(std::uint64_t after, std::uint64_t upto, std::size_t limit);
  bool reading() const { return reading_; }

  enum class Read { target, would_block, end };
  // Appends rows, without marking a boundary, until the batch reaches its target, nothing more is there yet, or the
  // query has ended. A page's `end` with fewer rows than its limit: there are no more.
  Result<Read> read(Batch& batch);
  bool page_was_short() const { return rows_in_page_ < limit_; }
  const Position& last() const { return last_; }  // of the last row of a page
  SnapshotProgress initial_progress() const;      // after the last row that was appended

  // True when something was notified since it was last asked. Fails when the connection is gone.
  Result<bool> notified();
  int socket() const { return connection_->socket(); }
  bool wants_write() const { return connection_->wants_write(); }

 private:
  PollReader(PollTable table, const OutboxMapping& mapping) : table_(std::move(table)), mapping_(mapping) {}
  Result<void> append_page_row(const SnapshotRow& row, Batch& batch);
  void append_initial_row(const SnapshotRow& row, Batch& batch);
  void append(const SnapshotRow& row, const RowPlace& place, Batch& batch);

  const PollTable table_;
  const OutboxMapping& mapping_;
  std::unique_ptr<SnapshotConnection> connection_;
  std::vector<ColumnText> texts_;  // of one row; kept to allocate nothing per row
  bool reading_ = false, initial_ = false;
  std::size_t limit_ = 0, rows_in_page_ = 0;
  Position last_;
  SnapshotProgress progress_;
  std::optional<SnapshotRow> last_initial_;  // since begin_initial()
};

}  // namespace relay::connectors::postgres
