// Which changes of a slot's stream were handed over before, and where each stands. Pure: it sees the boundaries of
// transactions and the LSN of each row change, never a value, and knows no server.
//
// Rows are placed by the commit LSN of their transaction. Everything of a transaction at or below the start position is
// dropped; inside the transaction of a position that was taken in part, everything up to and including the stored
// change (its own LSN, and its ordinal among the published changes with that LSN, since rows of one COPY share theirs)
// is dropped. What contradicts the stored position is refused (kind corrupt), never guessed around.
#pragma once

#include <cstdint>

#include "relay/base/result.h"
#include "relay/model/position.h"
#include "relay/model/progress.h"

namespace relay::connectors::postgres {

class StreamCursor {
 public:
  StreamCursor() = default;

  // `slot_confirmed`: confirmed_flush of the slot when its stream was opened: transactions whose commit LSN is not
  // below it are sent, so the last one delivered must appear among them.
  StreamCursor(const Progress& from, Lsn slot_confirmed);

  // `commit_time_us` in Unix time, as positions hold it.
  Result<void> begin(Lsn commit_lsn, std::uint32_t xid, std::int64_t commit_time_us);

  // One published row change (insert, update, delete, truncate) with the LSN of its XLogData. True: handed over before.
  Result<bool> change(Lsn lsn);

  // The end of the transaction. `took_part`: an event of it was appended since the start; then it becomes the position.
  Result<void> commit(Lsn commit_lsn, Lsn end_lsn, bool took_part);

  // A keepalive: the server has sent everything up to here.
  Result<void> reached(Lsn wal_end);

  bool in_transaction() const { return in_transaction_; }
  // The change last seen: for the event, and for a boundary inside the transaction.
  Lsn change_lsn() const { return change_lsn_; }
  std::uint32_t ordinal() const { return ordinal_; }
  const Position& transaction() const { return open_; }  // commit LSN, xid and time of the open one
  Position inside() const;

  const Position& position() const { return position_; }  // of the last transaction of which an event was taken
  Lsn end_lsn() const { return end_lsn_; }  // everything the server sent below is handled; never goes back

 private:
  enum class Dropping { nothing, whole, until_change };

  Result<void> must_have_met(Lsn now_at) const;
  tl::unexpected<Error> not_found(const std::string& why) const;

  Position start_;  // what was handed over before
  Lsn start_end_lsn_;
  bool start_awaited_ = false;  // its transaction must still appear
  Position position_;
  Lsn end_lsn_;

  bool in_transaction_ = false;
  Position open_;
  Lsn last_commit_lsn_;  // of this stream; they strictly increase
  Dropping dropping_ = Dropping::nothing;
  Lsn change_lsn_;
  std::uint32_t ordinal_ = 0;
};

}  // namespace relay::connectors::postgres
