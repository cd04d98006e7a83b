// Delays between tries: doubling from `first` to `most`, with jitter (half to all of the delay) so that many relays do
// not return at the same moment. Not thread-safe; one per retried thing.
#pragma once

#include <cstdint>
#include <random>

#include "relay/base/clock.h"

namespace relay {

class Backoff {
 public:
  Backoff(Millis first, Millis most, std::uint64_t seed = std::random_device{}())
      : first_(first), most_(most), next_(first), random_(seed) {}

  Millis next() {
    const auto delay = next_;
    next_ = std::min(most_, next_ * 2);
    std::uniform_int_distribution<std::int64_t> jitter(delay.count() / 2, delay.count());
    return Millis(jitter(random_));
  }
  void reset() { next_ = first_; }

 private:
  Millis first_, most_, next_;
  std::mt19937_64 random_;
};

}  // namespace relay
