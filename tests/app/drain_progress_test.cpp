#include "relay/app/drain_progress.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::app;
using namespace std::chrono_literals;

namespace {

PipelineReport report(std::uint64_t events, std::uint64_t at, std::uint64_t target, bool ended = false) {
  PipelineReport r;
  r.status.events = events;
  r.status.acknowledged.end_lsn = Lsn{at};
  r.status.drain_target = Lsn{target};
  if (ended) r.exit = PipelineExit{PipelineExit::Why::drained, std::nullopt};
  return r;
}

}  // namespace

TEST_CASE("what remains is the sum over the pipelines that still run") {
  const std::vector<PipelineReport> reports{report(10, 100, 300), report(5, 900, 1'000), report(1, 1, 9, true)};
  const auto totals = totals_of(reports);
  CHECK(totals.events == 16);
  CHECK(totals.remaining_wal == 300);
  CHECK(totals.ended == 1);
}

TEST_CASE("what remains is unknown until every running pipeline knows its target") {
  CHECK_FALSE(totals_of(std::vector{report(10, 100, 300), report(0, 0, 0)}).remaining_wal);
  CHECK(totals_of(std::vector{report(10, 500, 300)}).remaining_wal == 0);
}

TEST_CASE("rows of a source without a slot are counted as ids, not as bytes") {
  auto ids = report(10, 40, 141);
  ids.status.acknowledged.place = PlaceKind::row_id;
  const auto totals = totals_of(std::vector{ids});
  CHECK(totals.remaining_wal == 0);
  CHECK(totals.remaining_ids == 101);
  DrainMeter meter;
  meter.observe(SteadyTime{1s}, totals);
  CHECK(meter.line() == "10 events, 0/s, 101 ids left");
}

TEST_CASE("rate and time left come from the last seconds") {
  DrainMeter meter;
  CHECK(meter.line().empty());
  const SteadyTime start{1'000s};
  for (int i = 0; i <= 60; ++i) {
    DrainTotals totals;
    totals.pipelines = 1;
    totals.events = static_cast<std::uint64_t>(i < 30 ? i * 10 : 300 + (i - 30) * 1'000);
    totals.remaining_wal = static_cast<std::uint64_t>(100 - i) << 20;
    meter.observe(start + std::chrono::seconds(i), totals);
  }
  CHECK(meter.events_per_second() == doctest::Approx(1'000));
  CHECK(meter.time_left() == 40s);
  CHECK(meter.line() == "30300 events, 1000/s, 40.0 MiB of WAL left, about 40 s");
}

TEST_CASE("no time is promised while nothing moves") {
  DrainMeter meter;
  DrainTotals totals;
  totals.remaining_wal = 1'000;
  meter.observe(SteadyTime{1s}, totals);
  CHECK_FALSE(meter.time_left());
  meter.observe(SteadyTime{2s}, totals);
  CHECK_FALSE(meter.time_left());
  CHECK(meter.events_per_second() == 0);
}

TEST_CASE("sizes and times are rounded for people") {
  CHECK(rounded_size(0) == "0 B");
  CHECK(rounded_size(1536) == "1.5 KiB");
  CHECK(rounded_size(5ull << 40) == "5.0 TiB");
  CHECK(rounded_time(40s) == "40 s");
  CHECK(rounded_time(10min) == "10 min");
  CHECK(rounded_time(3h) == "3.0 h");
}
