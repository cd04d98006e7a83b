// Row changes of business tables on their way to events.
#include "connectors/postgres/outbox_stream.h"

namespace relay::connectors::postgres {

Result<void> OutboxStream::read_tuple(pgoutput::TupleData tuple, const KnownRelation& relation,
                                      std::vector<ColumnText>& row) const {
  if (tuple.size() != relation.columns)
    return stream_malformed("a row of table " + relation.table + " has " + std::to_string(tuple.size()) +
                            " columns, its relation has " + std::to_string(relation.columns));
  row.clear();
  for (const auto& column : tuple) {
    if (column.kind == 'b') return stream_malformed("a row of table " + relation.table + " came in binary form");
    row.push_back({column.kind == 't' ? column.value : std::string_view{}, column.kind == 'u'});
  }
  return {};
}

Captured OutboxStream::append(const RowChange& change, const KnownRelation& relation, Batch& batch) {
  const auto& open = cursor_.transaction();
  const auto captured = relation.rows->append(
      change, {open.commit_lsn, cursor_.change_lsn(), cursor_.ordinal(), open.xid, open.commit_time_us, false}, batch);
  took_part_ |= captured != Captured::nothing;
  if (changed_.watching()) watch(change, relation, captured);
  return captured;
}

// After a resumed initial read: a changed row that may never have been read is lost only when its change says less than
// the row would have.
void OutboxStream::watch(const RowChange& change, const KnownRelation& relation, Captured captured) {
  if (!relation.rows->takes_initial_rows()) return;  // none of its rows is ever read
  relation.rows->row_key(change.old_row.empty() ? change.new_row : change.old_row, key_);
  const bool moved = change.other_aggregate.data() != nullptr;
  if (change.operation == Operation::insert && (!moved || captured == Captured::event))
    changed_.inserted(relation.table, key_);
  else if (change.operation == Operation::truncate && captured == Captured::nothing)
    changed_.truncated(relation.table);
  else if (captured != Captured::event)
    changed_.changed(relation.table, key_, ChangedRows::Naming::never);
}

Result<void> OutboxStream::capture(const pgoutput::Insert& m, const KnownRelation& relation, bool dropped, Batch& batch) {
  if (dropped) return {};
  if (!relation.rows) return fail(*relation.refused);
  RELAY_TRY(read_tuple(m.new_tuple, relation, row_));
  append({Operation::insert, {}, row_, false, {}}, relation, batch);
  close_if_full(batch);
  return {};
}

Result<void> OutboxStream::capture(const pgoutput::Update& m, const KnownRelation& relation, bool dropped, Lsn lsn,
                                   Batch& batch) {
  if (!relation.rows) return dropped ? Result<void>{} : fail(*relation.refused);
  RELAY_TRY(read_tuple(m.new_tuple, relation, row_));
  old_row_.clear();
  if (m.old_kind) RELAY_TRY(read_tuple(m.old_tuple, relation, old_row_));
  RELAY_TRY(fill_from_old(m, relation));
  RowChange update{Operation::update, old_row_, row_, m.old_kind == 'O', {}};
  const bool moves = relation.rows->changes_aggregate(update);
  if (moves && relation.rows->wants(Operation::remove) && relation.rows->wants(Operation::insert)) {
    RELAY_TRY(capture_move(update, relation, dropped, lsn, batch));
  } else if (!dropped) {
    if (moves) {
      relation.rows->aggregate_id(update.old_row, old_aggregate_);
      update.other_aggregate = old_aggregate_;
    }
    append(update, relation, batch);
  }
  close_if_full(batch);
  return {};
}

// A value that is stored out of line and did not change comes only with the old row, if at all. It cannot have been NULL:
// then the old row is not whole although the table's identity says so, which happens when a partition's differs.
Result<void> OutboxStream::fill_from_old(const pgoutput::Update& m, const KnownRelation& relation) {
  for (std::size_t i = 0; m.old_kind && i < row_.size(); ++i) {
    if (!row_[i].unchanged_toast) continue;
    if (m.old_kind == 'O' && old_row_[i].text.data() == nullptr)
      return fail(ErrorKind::fatal, "replica_identity_mixed",
                  "following table " + relation.table + ": an old row came without values that its replica identity, FULL, "
                  "promises; a partition of it has another replica identity",
                  "give every partition, and those that are made later, the same: ALTER TABLE PARTITION REPLICA IDENTITY FULL; "
                  "the updates written before that cannot be captured any more");
    if (old_row_[i].text.data() != nullptr) row_[i] = old_row_[i];
  }
  return {};
}

// The end of one aggregate's row and the beginning of another's: two events, each with a place of its own.
Result<void> OutboxStream::capture_move(const RowChange& update, const KnownRelation& relation, bool dropped, Lsn lsn,
                                        Batch& batch) {
  relation.rows->aggregate_id(update.old_row, old_aggregate_);
  relation.rows->aggregate_id(update.new_row, new_aggregate_);
  if (!dropped) append({Operation::remove, update.old_row, {}, update.old_is_whole, new_aggregate_}, relation, batch);
  RELAY_ASSIGN(const bool second_dropped, cursor_.change(lsn));
  if (!second_dropped) append({Operation::insert, {}, update.new_row, false, old_aggregate_}, relation, batch);
  return {};
}

Result<void> OutboxStream::capture(const pgoutput::Delete& m, const KnownRelation& relation, bool dropped, Batch& batch) {
  if (dropped) return {};
  if (!relation.rows) return fail(*relation.refused);
  RELAY_TRY(read_tuple(m.old_tuple, relation, old_row_));
  append({Operation::remove, old_row_, {}, m.old_kind == 'O', {}}, relation, batch);
  close_if_full(batch);
  return {};
}

void OutboxStream::capture_truncate(const KnownRelation& relation, bool dropped, Batch& batch) {
  if (!dropped) append({Operation::truncate, {}, {}, false, {}}, relation, batch);
}

}  // namespace relay::connectors::postgres
