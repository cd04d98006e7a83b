// What the progress topic must look like, and where in it to look for the newest record. Pure; progress_reader.h asks the
// broker.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::connectors::kafka {

struct TopicSetting {
  std::string_view name;
  std::string_view value;
};

// One partition, so that "newest" has a meaning; compacted, so that it never loses its last record; small segments that
// are closed often, so that compaction gets at them and a start reads little.
inline constexpr TopicSetting kProgressTopicSettings[] = {{"cleanup.policy", "compact"},
                                                          {"segment.bytes", "16777216"},
                                                          {"segment.ms", "600000"},
                                                          {"unclean.leader.election.enable", "false"}};

struct TopicVerdict {
  std::vector<std::string> refusals;  // sentences: the record can be lost
  std::vector<std::string> warnings;  // sentences: it costs time or safety margin
};

// Settings by name as the broker gives them. A name that is missing is not judged.
TopicVerdict judge_progress_topic(int partitions, const std::map<std::string, std::string>& settings);

// Windows of offsets to search for the newest record, from the end backwards: the last 1,000, then twice as many before
// them, and so on to the beginning. Between compaction, transaction markers and aborted records most offsets may be empty.
class BackwardScan {
 public:
  static constexpr std::int64_t kFirstWindow = 1'000;

  struct Window {
    std::int64_t first = 0;
    std::int64_t end = 0;  // one past the last
    bool operator==(const Window&) const = default;
  };

  // Offsets low <= o < high exist or existed.
  BackwardScan(std::int64_t low, std::int64_t high) : low_(low), window_{high, high}, size_(kFirstWindow) {}

  // The next window to read, or nullopt when the beginning has been searched.
  std::optional<Window> next();

 private:
  std::int64_t low_;
  Window window_;
  std::int64_t size_;
};

// What of a window counts: the last record with our key. A record without value (a tombstone) says that there is none.
class NewestRecord {
 public:
  explicit NewestRecord(std::string key) : key_(std::move(key)) {}

  // In the order of offsets. value.data() == nullptr: a tombstone.
  void see(std::string_view key, std::string_view value, std::int64_t offset);

  bool found() const { return offset_ >= 0; }
  std::int64_t offset() const { return offset_; }
  const std::optional<std::string>& value() const { return value_; }  // nullopt: a tombstone, or nothing found

 private:
  std::string key_;
  std::int64_t offset_ = -1;
  std::optional<std::string> value_;
};

}  // namespace relay::connectors::kafka
