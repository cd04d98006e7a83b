// Time behind an interface, so that the simulation owns it. Steady time for waits and deadlines, wall time for records.
#pragma once

#include <chrono>
#include <cstdint>

namespace relay {

using Millis = std::chrono::milliseconds;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime now() = 0;
  virtual std::int64_t unix_micros() = 0;  // wall clock, microseconds since 1970
};

// The real one. Thread-safe.
Clock& system_clock();

}  // namespace relay
