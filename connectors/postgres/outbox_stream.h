// What the messages of the stream become: events of a batch, boundaries, counters. No I/O; the source feeds it.
#pragma once

#include <atomic>
#include <string_view>
#include <vector>

#include "connectors/postgres/changed_rows.h"
#include "connectors/postgres/message_events.h"
#include "connectors/postgres/pgoutput.h"
#include "connectors/postgres/relations.h"
#include "connectors/postgres/replication_wire.h"
#include "connectors/postgres/row_moves.h"
#include "connectors/postgres/stream_cursor.h"

namespace relay::connectors::postgres {

// Written by the source's thread, read by any.
struct StreamCounters {
  std::atomic<std::uint64_t> ignored_updates{0}, ignored_deletes{0}, ignored_truncates{0}, ignored_messages{0},
      row_moves{0};
};

tl::unexpected<Error> stream_malformed(const std::string& what);

class OutboxStream {
 public:
  // `config` and `counters` outlive the stream; so must the stream every batch that it filled.
  OutboxStream(const SlotSourceConfig& config, CatalogQuestions ask, StreamCounters& counters, Logger log);

  // A new connection, or the end of the initial read. `slot_confirmed` as in StreamCursor.
  void begin_stream(const Progress& from, Lsn slot_confirmed);

  // One message. Appends events, marks the boundary after each transaction, and one inside a transaction as soon as the
  // batch is full there. REQUIRES: !batch.full(). On failure nothing of this message was appended.
  Result<void> receive(const XLogData& data, Batch& batch);
  Result<void> receive(const Keepalive& keepalive);
  // A message of many events filled the batch before its end: the rest comes before anything else is received.
  // REQUIRES: !batch.full().
  bool has_more() const { return next_event_ < message_.events().size(); }
  Result<void> go_on(Batch& batch);

  const StreamCursor& cursor() const { return cursor_; }

 private:
  Result<void> on(const pgoutput::Begin& m);
  Result<void> on(const pgoutput::Commit& m, Batch& batch);
  Result<void> on(const pgoutput::Insert& m, Lsn lsn, Batch& batch);
  Result<void> on(const pgoutput::Update& m, Lsn lsn, Batch& batch);
  Result<void> on(const pgoutput::Delete& m, Lsn lsn, Batch& batch);
  Result<void> on(const pgoutput::Truncate& m, Lsn lsn, Batch& batch);
  Result<void> on(const pgoutput::Message& m, Lsn lsn, Batch& batch);

  // The relation of a row; null when its table is to be left out. Fails when the stream never described it, or when it
  // is none of ours and that is not allowed.
  Result<KnownRelation*> relation_of(std::uint32_t oid, bool dropped);
  Result<void> append(const pgoutput::Insert& m, const KnownRelation& relation, Batch& batch);
  // Business tables (outbox_stream_tables.cpp). `dropped`: the change was handed over before.
  Result<void> capture(const pgoutput::Insert& m, const KnownRelation& relation, bool dropped, Batch& batch);
  Result<void> capture(const pgoutput::Update& m, const KnownRelation& relation, bool dropped, Lsn lsn, Batch& batch);
  Result<void> capture(const pgoutput::Delete& m, const KnownRelation& relation, bool dropped, Batch& batch);
  Result<void> capture_move(const RowChange& update, const KnownRelation& relation, bool dropped, Lsn lsn, Batch& batch);
  void capture_truncate(const KnownRelation& relation, bool dropped, Batch& batch);
  Captured append(const RowChange& change, const KnownRelation& relation, Batch& batch);
  Result<void> fill_from_old(const pgoutput::Update& m, const KnownRelation& relation);
  void watch(const RowChange& change, const KnownRelation& relation, Captured captured);
  Result<void> read_tuple(pgoutput::TupleData tuple, const KnownRelation& relation, std::vector<ColumnText>& row) const;
  void close_if_full(Batch& batch);

  std::string_view old_id(const KnownRelation& relation, pgoutput::TupleData old_tuple) const;

  const SlotSourceConfig& config_;
  StreamCounters& counters_;
  Logger log_;
  pgoutput::Decoder decoder_;
  Relations relations_;
  StreamCursor cursor_;
  RowMoves moves_;
  ChangedRows changed_;
  bool took_part_ = false;  // an event of the open transaction was appended
  std::vector<ColumnText> row_, old_row_;
  std::string key_, old_aggregate_, new_aggregate_;
  MessageEvents message_;  // the one under way
  Lsn message_lsn_;
  std::size_t next_event_ = 0;
};

}  // namespace relay::connectors::postgres
