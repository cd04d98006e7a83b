#include "connectors/kafka/progress_topic_rules.h"

#include <algorithm>

namespace relay::connectors::kafka {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    auto item = list.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

TopicVerdict judge_progress_topic(int partitions, const std::map<std::string, std::string>& settings) {
  TopicVerdict verdict;
  if (partitions != 1)
    verdict.refusals.push_back("it has " + std::to_string(partitions) + " partitions and must have exactly one");
  if (const auto policy = settings.find("cleanup.policy"); policy != settings.end()) {
    if (has_word(policy->second, "delete"))
      verdict.refusals.push_back("its cleanup.policy is " + policy->second +
                                 ", which deletes the stored position after the retention time");
    else if (!has_word(policy->second, "compact"))
      verdict.refusals.push_back("its cleanup.policy is " + policy->second + " and must be compact");
  }
  for (const auto& wanted : kProgressTopicSettings) {
    const auto found = settings.find(std::string(wanted.name));
    if (wanted.name == "cleanup.policy" || found == settings.end() || found->second == wanted.value) continue;
    verdict.warnings.push_back("its " + std::string(wanted.name) + " is " + found->second + " and should be " +
                               std::string(wanted.value));
  }
  return verdict;
}

std::optional<BackwardScan::Window> BackwardScan::next() {
  if (window_.first <= low_) return std::nullopt;
  window_ = {std::max(low_, window_.first - size_), window_.first};
  size_ *= 2;
  return window_;
}

void NewestRecord::see(std::string_view key, std::string_view value, std::int64_t offset) {
  if (key != key_ || offset < offset_) return;
  offset_ = offset;
  if (value.data() == nullptr)
    value_.reset();
  else
    value_ = std::string(value);
}

}  // namespace relay::connectors::kafka
