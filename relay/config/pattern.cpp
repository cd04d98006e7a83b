// The only file that includes <regex>: it is slow to compile.
#include "relay/config/pattern.h"

#include <regex>

namespace relay::config {

bool matches(std::string_view text, const std::string& pattern) {
  constexpr std::size_t kTextMax = 4096;
  return text.size() <= kTextMax && std::regex_match(text.begin(), text.end(), std::regex(pattern));
}

}  // namespace relay::config
