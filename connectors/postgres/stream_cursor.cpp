#include "connectors/postgres/stream_cursor.h"

#include <algorithm>
#include <string>

namespace relay::connectors::postgres {
namespace {

tl::unexpected<Error> out_of_order(const std::string& what) {
  return fail(ErrorKind::corrupt, "stream_out_of_order", "following the replication stream: " + what,
              "nothing was skipped; report it with the server's version and the output of: outbox-relay version");
}

}  // namespace

StreamCursor::StreamCursor(const Progress& from, Lsn slot_confirmed)
    : start_(from.position),
      start_end_lsn_(from.end_lsn),
      start_awaited_(from.position.xid != 0 && slot_confirmed <= from.position.commit_lsn),
      position_(from.position),
      end_lsn_(from.end_lsn) {}

Result<void> StreamCursor::begin(Lsn commit_lsn, std::uint32_t xid, std::int64_t commit_time_us) {
  if (in_transaction_) return out_of_order("a transaction began inside another one");
  if (commit_lsn <= last_commit_lsn_)
    return out_of_order("the commit at " + to_string(commit_lsn) + " came after the one at " +
                        to_string(last_commit_lsn_));
  in_transaction_ = true;
  last_commit_lsn_ = commit_lsn;
  open_ = Position{commit_lsn, {}, {}, 0, xid, commit_time_us};
  change_lsn_ = {};
  ordinal_ = 0;
  const bool known = start_.xid != 0;  // otherwise the start is no transaction, only an end LSN
  if (known && commit_lsn == start_.commit_lsn) {
    if (xid != start_.xid || commit_time_us != start_.commit_time_us)
      return not_found("another transaction was committed at that place");
    start_awaited_ = false;
    dropping_ = start_.inside_transaction() ? Dropping::until_change : Dropping::whole;
    return {};
  }
  if (commit_lsn > start_.commit_lsn) RELAY_TRY(must_have_met(commit_lsn));
  const bool before = commit_lsn < start_end_lsn_ || (known && commit_lsn < start_.commit_lsn);
  dropping_ = before ? Dropping::whole : Dropping::nothing;
  return {};
}

Result<bool> StreamCursor::change(Lsn lsn) {
  if (!in_transaction_) return out_of_order("a row change came outside a transaction");
  if (!lsn) return out_of_order("a row change came without its LSN");
  ordinal_ = lsn == change_lsn_ ? ordinal_ + 1 : 1;
  change_lsn_ = lsn;
  if (dropping_ == Dropping::nothing) return false;
  if (dropping_ == Dropping::until_change && lsn == start_.change_lsn && ordinal_ == start_.ordinal)
    dropping_ = Dropping::nothing;  // from the next one on
  return true;
}

Result<void> StreamCursor::commit(Lsn commit_lsn, Lsn end_lsn, bool took_part) {
  if (!in_transaction_ || commit_lsn != open_.commit_lsn)
    return out_of_order("a commit at " + to_string(commit_lsn) + " ended no transaction that had begun");
  if (dropping_ == Dropping::until_change)
    return not_found("its change " + to_string(start_.change_lsn) + " number " + std::to_string(start_.ordinal) +
                     " did not come again: publication, tables or filters were changed");
  in_transaction_ = false;
  dropping_ = Dropping::nothing;
  const bool finishes_start = start_.inside_transaction() && commit_lsn == start_.commit_lsn;
  if (took_part || finishes_start) {
    position_ = open_;
    position_.end_lsn = end_lsn;
  }
  end_lsn_ = std::max(end_lsn_, end_lsn);
  return {};
}

Result<void> StreamCursor::reached(Lsn wal_end) {
  if (in_transaction_) return {};
  if (wal_end > start_.commit_lsn && wal_end >= start_.end_lsn) RELAY_TRY(must_have_met(wal_end));
  end_lsn_ = std::max(end_lsn_, wal_end);
  return {};
}

Position StreamCursor::inside() const {
  auto position = open_;
  position.change_lsn = change_lsn_;
  position.ordinal = ordinal_;
  return position;
}

Result<void> StreamCursor::must_have_met(Lsn now_at) const {
  if (!start_awaited_) return {};
  return not_found("the stream went on to " + to_string(now_at) + " without it");
}

tl::unexpected<Error> StreamCursor::not_found(const std::string& why) const {
  return fail(ErrorKind::corrupt, "position_not_found",
              "looking for the transaction delivered last (commit " + to_string(start_.commit_lsn) + ", xid " +
                  std::to_string(start_.xid) + ") in the slot's stream: " + why,
              "this is another history than the one delivered from; compare with: outbox-relay progress show, then "
              "accept the slot's position with: outbox-relay progress adopt");
}

}  // namespace relay::connectors::postgres
