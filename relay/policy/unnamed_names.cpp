#include "relay/policy/unnamed_names.h"

#include <algorithm>

#include "relay/policy/policy_transform.h"

namespace relay::policy {

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || (name[0] >= '0' && name[0] <= '9') || name[0] == '-' || name[0] == '.')
    return false;
  int digits = 0;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!digit && !letter && c != '_' && c != '-' && c != '.') return false;
    digits += digit ? 1 : 0;
  }
  return digits <= 6;
}

void NameCounts::count(std::string_view group, std::string_view separator, std::string_view name) {
  if (!is_plain_name(name)) name = "?";
  ++list_[known(group, separator, name).index].count;
}

NameCounts::Known& NameCounts::known(std::string_view group, std::string_view separator, std::string_view name) {
  const auto is = [&](const Known& k) { return k.name == name && k.group == group; };
  if (next_ < known_.size() && is(known_[next_])) return known_[next_++];
  const auto at = std::find_if(known_.begin(), known_.end(), is);
  if (at == known_.end()) {
    if (known_.size() > Statistics::kNamesMax) return known_.back();  // they all go under that one
    const bool full = known_.size() == Statistics::kNamesMax;
    auto text = full ? std::string(Statistics::kOthers) : std::string(group).append(separator).append(name);
    known_.push_back({std::string(group), std::string(name), listed(std::move(text))});
    next_ = 0;
    return known_.back();
  }
  next_ = static_cast<std::size_t>(at - known_.begin()) + 1;
  return *at;
}

std::size_t NameCounts::listed(std::string text) {
  fresh_ += (fresh_.empty() ? "" : ", ") + text;
  const auto at = std::find_if(list_.begin(), list_.end(), [&](const Unnamed& u) { return u.name == text; });
  if (at != list_.end()) return static_cast<std::size_t>(at - list_.begin());
  list_.push_back({std::move(text), 0});
  return list_.size() - 1;
}

}  // namespace relay::policy
