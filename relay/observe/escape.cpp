#include "relay/observe/escape.h"

#include <array>
#include <cstdio>

#include "relay/base/json_text.h"

namespace relay::observe {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the well-formed UTF-8 character at the start of `text`, or 0.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const auto second = byte(1);
  const bool illegal = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                       (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return illegal ? 0 : length;
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

// C1 controls (U+0080 to U+009F) steer some terminals as well.
bool is_c1(std::string_view character) {
  return character.size() == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
}

void append_hexadecimal(std::string& out, unsigned char c) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned>(c));
  out += text.data();
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const auto length = character_length(text);
    if (length == 0) {
      out += kReplacement;
    } else if (c == '"' || c == '\\' || is_control(c)) {
      append_escaped(c, out);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void append_printable(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const auto length = character_length(text);
    if (length == 0) {
      out += kReplacement;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      append_escaped(c, out);
    } else if (is_control(c)) {
      append_hexadecimal(out, c);
    } else if (is_c1(text.substr(0, length))) {
      append_hexadecimal(out, static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

}  // namespace relay::observe
