#include "connectors/postgres/table_patterns.h"

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == text[t] || pattern[p] == '?')) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view schema_and_table) {
  const auto dot = schema_and_table.find('.'), pattern_dot = pattern.find('.');
  if (dot == std::string_view::npos || pattern_dot == std::string_view::npos) return matches(pattern, schema_and_table);
  return matches(pattern.substr(0, pattern_dot), schema_and_table.substr(0, dot)) &&
         matches(pattern.substr(pattern_dot + 1), schema_and_table.substr(dot + 1));
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view schema_and_table) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches_pattern(pattern, schema_and_table); });
}

}  // namespace relay::connectors::postgres
