// What Kafka accepts as a topic's name. Pure.
#pragma once

#include <algorithm>
#include <string_view>

namespace relay::connectors::kafka {

constexpr std::string_view kTopicRule = "a topic name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..";

inline bool is_legal_topic(std::string_view name) {
  if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace relay::connectors::kafka
