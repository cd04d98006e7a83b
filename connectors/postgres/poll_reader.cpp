#include "connectors/postgres/poll_reader.h"

#include <charconv>

#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Pages come in the order of an index whatever the statistics say: those of a table that fills and empties are never
// right.
constexpr const char* kPageSettings =
    "SET search_path = pg_catalog; SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off";

}  // namespace

Result<std::unique_ptr<PollReader>> PollReader::open(const PollSourceConfig& config, PollTable table,
                                                     const OutboxMapping& mapping, int server_version) {
  std::unique_ptr<PollReader> reader(new PollReader(std::move(table), mapping));
  RELAY_ASSIGN(reader->connection_, SnapshotConnection::connect(config.common.connection));
  if (server_version >= 140000)
    RELAY_TRY(reader->connection_->run("SET idle_session_timeout = 0", "set up the connection that reads the outbox"));
  if (!config.notify_channel.empty())
    RELAY_TRY(reader->connection_->run("LISTEN " + quote_identifier(config.notify_channel),
                                       "listen on " + config.notify_channel));
  return reader;
}

Result<void> PollReader::begin_initial(SnapshotProgress from) {
  RELAY_ASSERT(!reading_);
  RELAY_TRY(connection_->run(initial_search_path(table_), "set up the initial read"));
  progress_ = std::move(from);
  std::vector<std::string> after;
  if (!progress_.last_key.empty()) {
    if (progress_.last_key.front() != table_.full_name() || progress_.last_key.size() != table_.order.size() + 1)
      return fail(ErrorKind::fatal, "snapshot_order_changed",
                  "taking up the initial read of " + table_.full_name() +
                      " again: the order or the key of the table is not what it was",
                  "begin it anew (rows that were delivered come again): outbox-relay progress reset, then outbox-relay "
                  "slot drop");
    after.assign(progress_.last_key.begin() + 1, progress_.last_key.end());
  }
  initial_ = reading_ = true;
  return connection_->start(initial_rows_query(table_, !after.empty()), after,
                            "read the rows of " + table_.full_name() + " without an id");
}

Result<void> PollReader::begin_page(std::uint64_t after, std::uint64_t upto, std::size_t limit) {
  RELAY_ASSERT(!reading_ && limit > 0);
  if (limit_ == 0) RELAY_TRY(connection_->run(kPageSettings, "set up the connection that reads the outbox"));
  initial_ = false;
  reading_ = true;
  limit_ = limit;
  rows_in_page_ = 0;
  return connection_->start(page_query(table_), {std::to_string(after), std::to_string(upto), std::to_string(limit)},
                            "read rows of " + table_.full_name());
}

Result<PollReader::Read> PollReader::read(Batch& batch) {
  RELAY_ASSERT(reading_);
  while (!batch.at_target()) {
    std::optional<SnapshotRow> row;
    RELAY_ASSIGN(const auto next, connection_->next(row));
    if (next == SnapshotConnection::Next::would_block) return Read::would_block;
    if (next == SnapshotConnection::Next::end) {
      reading_ = false;
      return Read::end;
    }
    if (initial_) {
      append_initial_row(*row, batch);
      last_initial_ = std::move(row);
    } else {
      RELAY_TRY(append_page_row(*row, batch));
    }
  }
  return Read::target;
}

void PollReader::append(const SnapshotRow& row, const RowPlace& place, Batch& batch) {
  texts_.resize(table_.columns.size());
  for (std::size_t i = 0; i < texts_.size(); ++i) texts_[i].text = row.text(i);
  mapping_.append(texts_, place, batch);
  batch.events().back().place = PlaceKind::row_id;
}

Result<void> PollReader::append_page_row(const SnapshotRow& row, Batch& batch) {
  const auto columns = table_.columns.size();
  const auto id = number(row.text(columns));
  const auto xid = row.text(columns + 1);
  if (xid.data() == nullptr)
    return fail(
        ErrorKind::fatal, "row_without_xid",
        "reading " + table_.full_name() + ": the row with id " + std::to_string(id) + " has no " + table_.xid_column +
            ": whoever wrote it set the column to NULL, so that rows may get their ids before their transactions have "
            "theirs, "
            "and be lost",
        "let the writers leave the column out; for this row: UPDATE " + quote_table(table_.schema, table_.name) +
            " SET " + quote_identifier(table_.xid_column) + " = pg_current_xact_id() WHERE " +
            quote_identifier(table_.id_column) + " = " + std::to_string(id) + ";");
  last_ = Position{};
  last_.commit_lsn = last_.end_lsn = Lsn{id};
  last_.xid = static_cast<std::uint32_t>(number(xid));
  RowPlace place;
  place.commit_lsn = last_.commit_lsn;
  place.xid = last_.xid;
  append(row, place, batch);
  ++rows_in_page_;
  return {};
}

void PollReader::append_initial_row(const SnapshotRow& row, Batch& batch) {
  ++progress_.rows;
  RowPlace place;
  place.from_snapshot = true;
  place.change_lsn = Lsn{progress_.rows >> 32};
  place.ordinal = static_cast<std::uint32_t>(progress_.rows);
  append(row, place, batch);
}

SnapshotProgress PollReader::initial_progress() const {
  auto progress = progress_;
  if (!last_initial_) return progress;
  progress.last_key.assign(1, table_.full_name());
  for (std::size_t i = 0; i < table_.order.size(); ++i)
    progress.last_key.emplace_back(last_initial_->text(table_.columns.size() + i));
  return progress;
}

Result<bool> PollReader::notified() { return connection_->take_notifications(); }

}  // namespace relay::connectors::postgres
