// Notices a server that accepts bytes but says nothing any more: a frozen process, a half-dead proxy. Pure.
//
// A healthy idle server is silent too, so it is asked after a third of the limit and answers at once. Old minor
// releases do not answer while they decode a huge transaction that is not published; giving up on them each time would
// never get past it. So the limit doubles after every time-out, until the stream has got further than ever before.
#pragma once

#include <algorithm>

#include "relay/base/clock.h"
#include "relay/model/lsn.h"

namespace relay::connectors::postgres {

class SilenceWatch {
 public:
  static constexpr Millis kFirst{60'000};
  static constexpr Millis kMost{3'600'000};

  void listen_from(SteadyTime now) { heard_at_ = now; }  // reading begins, or goes on after a pause
  void heard(SteadyTime now) { heard_at_ = now; }
  void reached(Lsn end_lsn) {
    if (end_lsn <= furthest_) return;
    furthest_ = end_lsn;
    limit_ = kFirst;
  }

  Millis quiet_for(SteadyTime now) const { return std::chrono::duration_cast<Millis>(now - heard_at_); }
  bool should_ask(SteadyTime now) const { return now - heard_at_ >= limit_ / 3; }
  bool is_over(SteadyTime now) const { return now - heard_at_ >= limit_; }
  void timed_out() { limit_ = std::min(kMost, limit_ * 2); }
  Millis limit() const { return limit_; }

 private:
  SteadyTime heard_at_{};
  Millis limit_ = kFirst;
  Lsn furthest_;
};

}  // namespace relay::connectors::postgres
