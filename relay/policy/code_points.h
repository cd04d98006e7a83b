// Characters of a UTF-8 text, as people count them: code points. Pure. Bytes that continue none are counted as one
// each.
#pragma once

#include <cstddef>
#include <string_view>

namespace relay::policy {

inline bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

inline std::size_t count_characters(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += continues(c) ? 0 : 1;
  return n;
}

// How many bytes the first `characters` take; all of them when there are fewer.
inline std::size_t bytes_of_characters(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters)
    for (++at; at < text.size() && continues(text[at]);) ++at;
  return at;
}

}  // namespace relay::policy
