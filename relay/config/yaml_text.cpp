#include "relay/config/yaml_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

namespace relay::config {
namespace {

bool reads_back_plain(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL" || text == "<<") return false;
  const auto safe = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./+-$*=@;%").find(c) != std::string_view::npos;
  };
  const char first = text.front();
  if (std::isalnum(static_cast<unsigned char>(first)) == 0 && first != '/' && first != '_' && first != '.')
    return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (safe(text[i])) continue;
    // A colon is part of a plain scalar unless a blank follows it; a blank unless it stands at an end or before '#'.
    const bool inside = i + 1 < text.size() && safe(text[i + 1]);
    if ((text[i] == ':' || text[i] == ' ') && inside) continue;
    return false;
  }
  return true;
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  if (reads_back_plain(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace relay::config
