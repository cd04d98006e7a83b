#include "connectors/postgres/outbox_stream.h"

#include "connectors/postgres/message_mapping.h"

namespace relay::connectors::postgres {
namespace {

void count(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

std::string_view value_at(pgoutput::TupleData tuple, std::size_t column) {
  if (column >= tuple.size() || tuple[column].kind != 't') return {};
  return tuple[column].value;
}

}  // namespace

tl::unexpected<Error> stream_malformed(const std::string& what) {
  return fail(ErrorKind::corrupt, "pgoutput_malformed", "following the replication stream: " + what,
              "nothing was skipped; report it with the server's version and the output of: outbox-relay version");
}

OutboxStream::OutboxStream(const SlotSourceConfig& config, CatalogQuestions ask, StreamCounters& counters, Logger log)
    : config_(config), counters_(counters), log_(std::move(log)), relations_(config, std::move(ask)) {}

void OutboxStream::begin_stream(const Progress& from, Lsn slot_confirmed) {
  decoder_.reset();
  relations_.begin_stream();
  cursor_ = StreamCursor(from, slot_confirmed);
  changed_.begin_stream(from);
  moves_.begin();
  took_part_ = false;
  message_.clear();
  next_event_ = 0;
}

Result<void> OutboxStream::receive(const XLogData& data, Batch& batch) {
  RELAY_ASSIGN(const auto message, decoder_.decode(data.data));
  const auto lsn = data.data_start;
  if (const auto* insert = std::get_if<pgoutput::Insert>(&message)) return on(*insert, lsn, batch);
  if (const auto* begin = std::get_if<pgoutput::Begin>(&message)) return on(*begin);
  if (const auto* commit = std::get_if<pgoutput::Commit>(&message)) return on(*commit, batch);
  if (const auto* relation = std::get_if<pgoutput::Relation>(&message)) return relations_.describe(*relation);
  if (const auto* update = std::get_if<pgoutput::Update>(&message)) return on(*update, lsn, batch);
  if (const auto* deletion = std::get_if<pgoutput::Delete>(&message)) return on(*deletion, lsn, batch);
  if (const auto* truncate = std::get_if<pgoutput::Truncate>(&message)) return on(*truncate, lsn, batch);
  if (const auto* logical = std::get_if<pgoutput::Message>(&message)) return on(*logical, lsn, batch);
  // Origins and types say nothing that an event holds; streamed and prepared transactions were not asked for, and the
  // decoder refuses them.
  return {};
}

Result<void> OutboxStream::receive(const Keepalive& keepalive) { return cursor_.reached(keepalive.wal_end); }

Result<void> OutboxStream::on(const pgoutput::Begin& m) {
  RELAY_TRY(cursor_.begin(m.final_lsn, m.xid, pgoutput::unix_micros(m.commit_time)));
  moves_.begin();
  changed_.begin(m.final_lsn);
  took_part_ = false;
  return {};
}

Result<void> OutboxStream::on(const pgoutput::Commit& m, Batch& batch) {
  if (changed_.watching()) RELAY_TRY(changed_.commit(config_.on_changed_row, config_.pipeline, log_));
  RELAY_TRY(cursor_.commit(m.commit_lsn, m.end_lsn, took_part_));
  batch.mark_boundary(cursor_.position(), cursor_.end_lsn());
  return {};
}

Result<void> OutboxStream::on(const pgoutput::Insert& m, Lsn lsn, Batch& batch) {
  RELAY_ASSIGN(const bool dropped, cursor_.change(lsn));
  RELAY_ASSIGN(const auto* relation, relation_of(m.relation_oid, dropped));
  if (!relation) return {};
  if (relation->captured) return capture(m, *relation, dropped, batch);
  const auto id = value_at(m.new_tuple, relation->id_column);
  if (relation->partitioned && moves_.is_second_half(relation->table, id)) {
    if (!dropped) count(counters_.row_moves);
    return {};
  }
  if (changed_.watching()) changed_.inserted(relation->table, id);
  if (dropped) return {};
  RELAY_TRY(append(m, *relation, batch));
  took_part_ = true;
  close_if_full(batch);
  return {};
}

Result<void> OutboxStream::append(const pgoutput::Insert& m, const KnownRelation& relation, Batch& batch) {
  if (!relation.mapping) return fail(*relation.refused);
  if (m.new_tuple.size() != relation.columns)
    return stream_malformed("a row of table " + relation.table + " has " + std::to_string(m.new_tuple.size()) +
                     " columns, its relation has " + std::to_string(relation.columns));
  row_.clear();
  for (const auto& column : m.new_tuple) {
    if (column.kind == 'u' || column.kind == 'b')
      return stream_malformed("a new row of table " + relation.table + " came with a value left out, or in binary form");
    row_.push_back({column.kind == 'n' ? std::string_view{} : column.value, false});
  }
  const auto& open = cursor_.transaction();
  relation.mapping->append(
      row_, {open.commit_lsn, cursor_.change_lsn(), cursor_.ordinal(), open.xid, open.commit_time_us, false}, batch);
  return {};
}

Result<void> OutboxStream::on(const pgoutput::Update& m, Lsn lsn, Batch& batch) {
  RELAY_ASSIGN(const bool dropped, cursor_.change(lsn));
  RELAY_ASSIGN(const auto* relation, relation_of(m.relation_oid, dropped));
  if (relation && relation->captured) return capture(m, *relation, dropped, lsn, batch);
  if (!relation || dropped) return {};
  count(counters_.ignored_updates);
  if (!changed_.watching()) return {};
  // Without an old tuple the key, and so the id, did not change.
  const auto id = m.old_kind ? old_id(*relation, m.old_tuple) : value_at(m.new_tuple, relation->id_column);
  changed_.changed(relation->table, id);
  return {};
}

Result<void> OutboxStream::on(const pgoutput::Delete& m, Lsn lsn, Batch& batch) {
  RELAY_ASSIGN(const bool dropped, cursor_.change(lsn));
  RELAY_ASSIGN(const auto* relation, relation_of(m.relation_oid, dropped));
  if (!relation) return {};
  if (relation->captured) return capture(m, *relation, dropped, batch);
  const auto id = old_id(*relation, m.old_tuple);
  if (relation->partitioned && !id.empty()) moves_.deleted(relation->table, id);
  if (dropped) return {};
  count(counters_.ignored_deletes);
  if (changed_.watching()) changed_.changed(relation->table, id);
  return {};
}

Result<void> OutboxStream::on(const pgoutput::Truncate& m, Lsn lsn, Batch& batch) {
  RELAY_ASSIGN(bool dropped, cursor_.change(lsn));
  bool first = true;
  for (const auto oid : m.relation_oids) {
    const auto* relation = relations_.find(oid);
    if (!relation || !relation->ours) continue;
    if (relation->rows && relation->rows->wants(Operation::truncate)) {
      if (!first) {  // each event has a place of its own
        RELAY_ASSIGN(dropped, cursor_.change(lsn));
      }
      first = false;
      capture_truncate(*relation, dropped, batch);
      continue;
    }
    if (dropped) continue;
    if (relation->captured && !relation->rows) return fail(*relation->refused);
    count(counters_.ignored_truncates);
    if (relation->captured)
      log_.warn("truncate_ignored", "a captured table was truncated, and no rule makes an event of that",
                {{"table", relation->table}});
    if (changed_.watching()) changed_.truncated(relation->table);
  }
  close_if_full(batch);
  return {};
}

// A message outside a transaction is sent even when what it is about is rolled back, and has no commit LSN.
Result<void> OutboxStream::on(const pgoutput::Message& m, Lsn lsn, Batch& batch) {
  if (!m.transactional || !config_.messages || m.prefix != config_.messages->prefix) {
    count(counters_.ignored_messages);
    return {};
  }
  message_.parse(m.content);
  message_lsn_ = lsn;
  next_event_ = 0;
  return go_on(batch);
}

// Each event counts as a change with the message's LSN, so that a position may lie between two of them.
Result<void> OutboxStream::go_on(Batch& batch) {
  const auto& open = cursor_.transaction();
  while (has_more() && !batch.full()) {
    const auto& event = message_.events()[next_event_];
    RELAY_ASSIGN(const bool dropped, cursor_.change(message_lsn_));
    ++next_event_;
    if (dropped) continue;
    append_message_event(event, {open.commit_lsn, message_lsn_, cursor_.ordinal(), open.xid, open.commit_time_us, false},
                         config_.messages->prefix, config_.messages->null_payload_is_tombstone, batch);
    took_part_ = true;
    close_if_full(batch);
  }
  if (has_more()) return {};
  message_.clear();
  next_event_ = 0;
  return {};
}

void OutboxStream::close_if_full(Batch& batch) {
  if (batch.full() && !batch.empty()) batch.mark_boundary(cursor_.inside(), cursor_.end_lsn());
}

Result<KnownRelation*> OutboxStream::relation_of(std::uint32_t oid, bool dropped) {
  auto* relation = relations_.find(oid);
  if (!relation) return stream_malformed("a row came of relation " + std::to_string(oid) + ", which was never described");
  if (relation->ours) return relation;
  if (dropped || config_.unmatched_tables_ignored || !relation->refused) return nullptr;
  return fail(*relation->refused);
}

std::string_view OutboxStream::old_id(const KnownRelation& relation, pgoutput::TupleData old_tuple) const {
  return value_at(old_tuple, relation.id_column);
}

}  // namespace relay::connectors::postgres
