// The middle part of a JSON web token, decoded. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::connectors::kafka {

inline int base64url_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-' || c == '+') return 62;
  if (c == '_' || c == '/') return 63;
  return -1;
}

// Empty when the text has not three parts or is not base64url.
inline std::string jwt_payload(std::string_view token) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return {};
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : token.substr(first + 1, second - first - 1)) {
    const int digit = base64url_digit(c);
    if (digit < 0) return {};
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>((bits >> have) & 0xffU);
    }
  }
  return out;
}

}  // namespace relay::connectors::kafka
