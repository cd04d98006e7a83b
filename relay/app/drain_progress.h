// How far a drain is, in numbers and in words. Pure: the time is given.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

#include "relay/app/supervisor.h"

namespace relay::app {

struct DrainTotals {
  std::uint64_t events = 0;         // handed over by this process
  std::uint64_t snapshot_rows = 0;  // of them, rows that existed before the slot
  std::uint64_t rejected = 0;
  std::uint64_t blocked = 0;
  std::optional<std::uint64_t> remaining_wal;  // bytes; nullopt until every pipeline knows its target
  std::uint64_t remaining_ids = 0;  // of pipelines that count row ids, which remaining_wal leaves out
  std::size_t ended = 0, pipelines = 0;
};

DrainTotals totals_of(std::span<const PipelineReport> reports);

// Rates over the last few seconds.
class DrainMeter {
 public:
  void observe(SteadyTime now, const DrainTotals& totals);

  double events_per_second() const;
  std::optional<std::chrono::seconds> time_left() const;  // when it is known and finite
  // "12345 events, 8000/s, 1.2 GiB of WAL left, about 40 s"
  std::string line() const;

 private:
  static constexpr std::chrono::seconds kWindow{10};
  struct Sample {
    SteadyTime time;
    DrainTotals totals;
  };
  std::deque<Sample> samples_;
};

// "1.2 GiB", for people; relay/config/units.h writes exact ones.
std::string rounded_size(std::uint64_t bytes);
std::string rounded_time(std::chrono::seconds time);

}  // namespace relay::app
