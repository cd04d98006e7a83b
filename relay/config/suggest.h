// "did you mean": the known name that is nearest to a mistyped one. Pure; also used for commands and pipeline names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// Single-character insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, capitals and -/_ set aside, if it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

// "a, b or c".
std::string listed(const std::vector<std::string>& words, std::string_view conjunction = "or");

// "did you mean x?" or else "known are a, b and c"; empty when nothing is known.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace relay::config
