// What leaves: one committed row, or logical message, as an event. All views point into the arena of the batch that
// holds it, or into memory that outlives the pipeline. A view whose data() is nullptr is SQL NULL.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "relay/model/lsn.h"

namespace relay {

struct Header {
  std::string_view name;
  std::string_view value;  // data() == nullptr: a header with a null value
};

// What is done with an event of a batch. Set by the source (reject), then by the pipeline's error policy; sinks look at
// it and never change it.
enum class Disposition : std::uint8_t {
  deliver,
  reject,       // can never be delivered: the pipeline decides before the batch reaches the sink
  dead_letter,  // the sink writes it to its dead letter topic, with the reason, inside the same transaction
  parked,       // already in the dead letter table, or delivered in an earlier attempt: the sink leaves it out
  blocked,      // no block of the policy is for it: the sink leaves it out; it keeps its place in the sequence
};

struct Event {
  std::uint64_t sequence = 0;  // 1, 2, 3 ... per pipeline without a gap; given when the batch closes
  std::string_view id;
  std::string_view aggregate_type;
  std::string_view aggregate_id;
  std::string_view event_type;
  std::string_view payload;
  std::span<const Header> headers;  // additional columns
  std::string_view source_table;    // "schema.table", or empty
  Lsn commit_lsn;
  Lsn change_lsn;
  std::uint32_t ordinal = 0;        // among the changes of its transaction with that LSN, from 1
  std::uint32_t xid = 0;
  std::int64_t commit_time_us = 0;  // microseconds since 1970
  bool from_snapshot = false;
  PlaceKind place = PlaceKind::lsn;  // row_id: commit_lsn is the row's id, and there is no change_lsn and commit time
  Disposition disposition = Disposition::deliver;
  std::string_view reject_code;     // stable snake_case
  std::string_view reject_reason;   // a sentence without any value of the event
  // The event before a policy changed it, where that is wanted for the dead letter table. Nothing but that table, which
  // is inside the database that the event came from, may ever see it.
  const Event* unscrubbed = nullptr;

  bool left_out() const { return disposition == Disposition::parked || disposition == Disposition::blocked; }
  bool is_tombstone() const { return payload.data() == nullptr; }
};

}  // namespace relay
