#include "connectors/postgres/poll_rounds.h"

#include <algorithm>

#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

constexpr Millis kFirstLook{1};
constexpr Millis kRunningMost{100};  // between two looks at what runs
constexpr Millis kDiskMost{20};      // and at what is on disk

}  // namespace

void PollRounds::begin(std::uint64_t position, SteadyTime now) {
  phase_ = Phase::idle;
  position_ = position;
  passed_ = 0;
  upper_ = position;
  pause_ = shortest_;
  due_ = now;
}

void PollRounds::read_at_once(std::uint64_t position, SteadyTime now) {
  begin(position, now);
  phase_ = Phase::reading;
}

void PollRounds::look_now(SteadyTime now) {
  if (phase_ != Phase::idle) return;
  pause_ = shortest_;
  due_ = now;
}

Result<void> PollRounds::advance(SteadyTime now) {
  if (now < due_) return {};
  switch (phase_) {
    case Phase::idle:
      return look(now);
    case Phase::waiting:
      return look_at_running(now);
    case Phase::settling:
      return look_at_disk(now);
    case Phase::reading:
      break;
  }
  return {};
}

Result<void> PollRounds::look(SteadyTime now) {
  RELAY_ASSIGN(newest_, server_.last_id());
  if (newest_ < position_)
    return fail(ErrorKind::fatal, "ids_behind_progress",
                "polling the outbox: id " + std::to_string(position_) +
                    " was delivered, but the newest id of its sequence is " + std::to_string(newest_) +
                    ": it was set back (setval, TRUNCATE ... RESTART IDENTITY, a restored table)",
                "set it forward again: SELECT setval('SEQUENCE', " + std::to_string(position_) +
                    "); rows that have smaller ids already are not delivered");
  if (newest_ == upper_) {
    passed_ = upper_ + 1;
    wait_longer(now, longest_);
    return {};
  }
  // Only now that an id was given out: an idle database must not lose transaction ids to us.
  RELAY_ASSIGN(const auto barrier, server_.raise_barrier());
  upper_ = newest_;
  barrier_ = barrier.xid;
  oldest_ = barrier.oldest;
  since_ = due_ = now;
  pause_ = kFirstLook;
  phase_ = oldest_ >= barrier_ ? Phase::reading : Phase::waiting;
  return {};
}

Result<void> PollRounds::look_at_running(SteadyTime now) {
  RELAY_ASSIGN(oldest_, server_.oldest_running());
  if (oldest_ < barrier_) {
    wait_longer(now, kRunningMost);
    return {};
  }
  phase_ = Phase::reading;
  due_ = now;
  return {};
}

Result<void> PollRounds::settle(std::uint64_t through, SteadyTime now) {
  RELAY_ASSERT(phase_ == Phase::reading && through >= position_);
  RELAY_ASSIGN(const auto ends, server_.wal_ends());
  settling_ = through;
  needed_ = ends.inserted;
  if (ends.flushed >= needed_) {
    position_ = settling_;
    return {};
  }
  phase_ = Phase::settling;
  pause_ = kFirstLook;
  wait_longer(now, kDiskMost);
  return {};
}

Result<void> PollRounds::look_at_disk(SteadyTime now) {
  RELAY_ASSIGN(const auto ends, server_.wal_ends());
  if (ends.flushed < needed_) {
    wait_longer(now, kDiskMost);
    return {};
  }
  position_ = settling_;
  phase_ = Phase::reading;
  due_ = now;
  return {};
}

void PollRounds::finish(SteadyTime now) {
  RELAY_ASSERT(phase_ == Phase::reading);
  passed_ = upper_ + 1;
  phase_ = Phase::idle;
  pause_ = shortest_;
  due_ = now + pause_;
}

void PollRounds::wait_longer(SteadyTime now, Millis most) {
  due_ = now + pause_;
  pause_ = std::min(2 * pause_, most);
}

}  // namespace relay::connectors::postgres
