#include "relay/app/drain_progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace relay::app {
namespace {

template <typename... Numbers>
std::string printed(const char* format, Numbers... numbers) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, numbers...);
  return text.data();
}

double seconds_between(SteadyTime a, SteadyTime b) { return std::chrono::duration<double>(b - a).count(); }

}  // namespace

DrainTotals totals_of(std::span<const PipelineReport> reports) {
  DrainTotals totals;
  totals.pipelines = reports.size();
  totals.remaining_wal = 0;
  for (const auto& report : reports) {
    const auto& status = report.status;
    totals.events += status.events;
    totals.snapshot_rows += status.source.snapshot_rows;
    totals.rejected += status.rejected;
    totals.blocked += status.blocked;
    if (report.exit) {
      ++totals.ended;
      continue;
    }
    // Inside a large transaction only its changes move.
    const auto at = std::max(status.acknowledged.end_lsn, status.acknowledged.position.change_lsn);
    const bool ids = status.acknowledged.place == PlaceKind::row_id;
    if (ids && status.drain_target > at) totals.remaining_ids += status.drain_target.value - at.value;
    if (ids && status.drain_target) continue;
    if (!status.drain_target || !at)
      totals.remaining_wal.reset();
    else if (totals.remaining_wal && at < status.drain_target)
      *totals.remaining_wal += status.drain_target.value - at.value;
  }
  return totals;
}

void DrainMeter::observe(SteadyTime now, const DrainTotals& totals) {
  samples_.push_back({now, totals});
  while (samples_.size() > 2 && now - samples_.front().time > kWindow) samples_.pop_front();
}

double DrainMeter::events_per_second() const {
  if (samples_.size() < 2) return 0;
  const auto seconds = seconds_between(samples_.front().time, samples_.back().time);
  const auto events = samples_.back().totals.events - samples_.front().totals.events;
  return seconds > 0 ? static_cast<double>(events) / seconds : 0;
}

std::optional<std::chrono::seconds> DrainMeter::time_left() const {
  if (samples_.size() < 2) return std::nullopt;
  const auto& before = samples_.front();
  const auto& now = samples_.back();
  if (!before.totals.remaining_wal || !now.totals.remaining_wal) return std::nullopt;
  const auto seconds = seconds_between(before.time, now.time);
  const auto left = [&](std::uint64_t then, std::uint64_t remaining) {
    if (remaining == 0) return 0.0;
    const auto done = static_cast<double>(then) - static_cast<double>(remaining);
    return done > 0 && seconds > 0 ? static_cast<double>(remaining) * seconds / done : -1.0;
  };
  const auto wal = left(*before.totals.remaining_wal, *now.totals.remaining_wal);
  const auto ids = left(before.totals.remaining_ids, now.totals.remaining_ids);
  constexpr double kTooLong = 30.0 * 24 * 3600;
  const auto longest = std::max(wal, ids);
  if (wal < 0 || ids < 0 || longest > kTooLong) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(longest)));
}

std::string DrainMeter::line() const {
  if (samples_.empty()) return {};
  const auto& totals = samples_.back().totals;
  auto out = std::to_string(totals.events) + " events, " + printed("%.0f/s", events_per_second());
  if (!totals.remaining_wal) out += ", starting";
  const bool only_ids = totals.remaining_wal == 0 && totals.remaining_ids > 0;
  if (totals.remaining_wal && !only_ids) out += ", " + rounded_size(*totals.remaining_wal) + " of WAL left";
  if (totals.remaining_ids > 0) out += ", " + std::to_string(totals.remaining_ids) + " ids left";
  if (const auto left = time_left(); left && *totals.remaining_wal + totals.remaining_ids > 0)
    out += ", about " + rounded_time(*left);
  if (totals.pipelines > 1)
    out += ", " + std::to_string(totals.ended) + " of " + std::to_string(totals.pipelines) + " pipelines done";
  return out;
}

std::string rounded_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return printed(unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
}

std::string rounded_time(std::chrono::seconds time) {
  const auto s = time.count();
  if (s < 100) return printed("%lld s", static_cast<long long>(s));
  if (s < 100 * 60) return printed("%lld min", static_cast<long long>((s + 30) / 60));
  return printed("%.1f h", static_cast<double>(s) / 3600);
}

}  // namespace relay::app
