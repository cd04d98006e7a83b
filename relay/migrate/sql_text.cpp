#include "relay/migrate/sql_text.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "relay/base/assert.h"

namespace relay::migrate {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Where what begins at `at` ends, when that is a comment, a constant, an identifier or a dollar quote; otherwise `at`.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const auto past = [&](std::string_view close, std::size_t from) {
    const auto found = text.find(close, from);
    return found == std::string_view::npos ? text.size() : found + close.size();
  };
  if (text.substr(at, 2) == "--") return past("\n", at);
  if (text[at] == '\'') return past("'", at + 1);  // a doubled quote is two constants side by side
  if (text[at] == '"') return past("\"", at + 1);
  if (text[at] != '$') return at;
  auto tag = at + 1;
  while (tag < text.size() && is_word(text[tag])) ++tag;
  if (tag >= text.size() || text[tag] != '$') return at;
  return past(text.substr(at, tag - at + 1), tag + 1);
}

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) out.append(c == quote ? 2 : 1, c);
  return out + quote;
}

}  // namespace

std::string sql_literal(std::string_view text) {
  // With a backslash only the E'' form means the same under every standard_conforming_strings.
  if (text.find('\\') == std::string_view::npos) return quoted(text, '\'');
  std::string doubled;
  for (const char c : text) doubled.append(c == '\\' ? 2 : 1, c);
  return "E" + quoted(doubled, '\'');
}

std::string sql_identifier(std::string_view name) { return quoted(name, '"'); }

std::string with_variables(std::string_view text, const std::map<std::string, std::string>& variables) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (const auto end = end_of_quoted(text, at); end != at) {
      out += text.substr(at, end - at);
      at = end;
      continue;
    }
    const char quote = at + 1 < text.size() ? text[at + 1] : ' ';
    if (text[at] != ':' || (quote != '\'' && quote != '"')) {
      out += text[at++];
      continue;
    }
    const auto end = text.find(quote, at + 2);
    const auto variable = variables.find(std::string(text.substr(at + 2, end - at - 2)));
    RELAY_ASSERT(end != std::string_view::npos && variable != variables.end());
    out += quote == '"' ? sql_identifier(variable->second) : sql_literal(variable->second);
    at = end + 1;
  }
  return out;
}

std::string without_transaction(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    if (line != "BEGIN;\n" && line != "COMMIT;\n") out += line;
  }
  while (out.size() > 1 && out.ends_with("\n\n")) out.pop_back();
  return out;
}

namespace {

// FNV-1a, as eight digits.
std::string hash_of(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  std::string out;
  for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[(hash >> shift) & 0xfU];
  return out;
}

std::string words_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!out.empty() && out.back() != '_')
      out += '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out.empty() ? "table" : out.substr(0, 50);
}

}  // namespace

std::string slug(std::string_view text) {
  auto words = words_of(text);
  const auto dot = text.find('.');
  auto plain = std::string(text);
  if (dot != std::string_view::npos) plain[dot] = '_';
  // "a.b_c" and "a_b.c" are the same words: only where the schema has no "_" do the words tell the name.
  const bool one_reading = dot != std::string_view::npos && text.substr(0, dot).find('_') == std::string_view::npos;
  return one_reading && plain == words ? words : words + "_" + hash_of(text);
}

std::string short_name(std::string_view name, std::size_t most) {
  if (name.size() <= most) return std::string(name);
  return std::string(name.substr(0, most - 9)) + "_" + hash_of(name);
}

}  // namespace relay::migrate
