// Whole-text matches against the ECMAScript patterns of field specifications.
#pragma once

#include <string>
#include <string_view>

namespace relay::config {

// False also for a text longer than 4,096 bytes: std::regex recurses per character and would exhaust the stack.
bool matches(std::string_view text, const std::string& pattern);

}  // namespace relay::config
