// A point in time until which something may be waited for, and the token that ends the wait earlier.
#pragma once

#include <algorithm>
#include <chrono>
#include <stop_token>
#include <thread>

#include "relay/base/clock.h"

namespace relay::connectors::kafka {

class Deadline {
 public:
  Deadline(Clock& clock, Millis timeout, std::stop_token stop = {})
      : clock_(&clock), end_(clock.now() + timeout), stop_(std::move(stop)) {}

  bool stopped() const { return stop_.stop_requested(); }
  bool expired() const { return clock_->now() >= end_; }
  bool over() const { return stopped() || expired(); }

  // What is left, but never more than `most`, so that a stop is seen soon.
  Millis slice(Millis most) const {
    const auto left = std::chrono::ceil<Millis>(end_ - clock_->now());
    return std::clamp(left, Millis{0}, most);
  }

  // Waits a little before something is asked again, where the library offers nothing to wait on.
  void nap(Millis most) const { std::this_thread::sleep_for(slice(most)); }

 private:
  Clock* clock_;
  SteadyTime end_;
  std::stop_token stop_;
};

}  // namespace relay::connectors::kafka
