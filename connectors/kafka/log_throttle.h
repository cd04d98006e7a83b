// librdkafka repeats its warnings as long as a cause lasts. One of each kind in ten seconds is enough for a person; the
// others are debug lines. Thread-safe: the library logs from all its threads.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace relay::connectors::kafka {

class LogThrottle {
 public:
  static constexpr std::chrono::seconds kQuiet{10};

  // True when a line of this kind has not been let through for kQuiet.
  bool lets_through(const std::string& kind, std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const auto [last, is_new] = last_.try_emplace(kind, now);
    if (!is_new && now - last->second < kQuiet) return false;
    last->second = now;
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> last_;  // guarded by mutex_; few kinds exist
};

}  // namespace relay::connectors::kafka
