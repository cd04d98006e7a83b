#include "relay/config/yaml_syntax.h"

#include <algorithm>

namespace relay::config {
namespace {

constexpr std::size_t kTextBytesMax = 1u << 20;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length of the UTF-8 character at the start of `text`; 0 when it is none, overlong or a surrogate.
std::size_t utf8_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!is_continuation(text[i])) return 0;
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
  const bool overlong_or_surrogate = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return overlong_or_surrogate ? 0 : length;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
}

bool has_unquoted_variable_in_flow(std::string_view line) {
  char quote = '\0';
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote != '\0') {
      if (line[i] == quote) quote = '\0';
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '$' && i + 1 < line.size() && line[i + 1] == '{' && depth > 0) {
      return true;
    } else if (line[i] == '{' || line[i] == '[') {
      ++depth;
    }
  }
  return false;
}

std::string syntax_hint(std::string_view line, std::string_view what) {
  const auto indent = line.substr(0, line.find_first_not_of(" \t"));
  if (indent.find('\t') != std::string_view::npos) return "YAML is indented with spaces; replace the tab";
  if (has_unquoted_variable_in_flow(line)) return "inside { } and [ ] a variable needs quotes: \"${NAME}\"";
  const auto says = [&](std::string_view words) { return what.find(words) != std::string_view::npos; };
  if (says("end of map flow")) return "a { has no closing }, or a comma is missing";
  if (says("end of sequence flow")) return "a [ has no closing ], or a comma is missing";
  if (says("illegal EOF") || says("illegal document indicator")) return "a quote is not closed";
  if (says("illegal map value")) return "two `key:` on one line, or text with \": \" in it that needs quotes";
  if (says("end of map not found"))
    return "look at the indentation here and above: it must be the same for all keys of a map";
  if (says("end of sequence not found")) return "look at the indentation of the list's dashes";
  if (says("unknown token")) return "text that begins with @, ` or % needs quotes";
  if (says("referenced anchor")) return "define it with &name above, or put text that begins with * in quotes";
  if (says("escape")) return "in double quotes a backslash is written \\\\; single quotes take it as it is";
  return "look at the indentation, quotes and colons here and in the line above";
}

}  // namespace

TextPlaces::TextPlaces(std::string file, std::string_view text) : file_(std::move(file)), text_(text), starts_{0} {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') starts_.push_back(i + 1);
}

std::string_view TextPlaces::line(int line0) const {
  if (line0 < 0 || static_cast<std::size_t>(line0) >= starts_.size()) return {};
  const auto start = starts_[static_cast<std::size_t>(line0)];
  return text_.substr(start, std::min(text_.find('\n', start), text_.size()) - start);
}

Mark TextPlaces::mark(int line0, int byte0) const {
  const auto before = line(line0).substr(0, static_cast<std::size_t>(std::max(byte0, 0)));
  const auto extra = std::count_if(before.begin(), before.end(), is_continuation);
  return {file_, std::max(line0, 0) + 1, std::max(byte0, 0) - static_cast<int>(extra) + 1};
}

Mark TextPlaces::mark_at(std::size_t offset) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const auto line0 = after - starts_.begin() - 1;
  return mark(static_cast<int>(line0), static_cast<int>(offset - starts_[static_cast<std::size_t>(line0)]));
}

std::optional<Diagnostic> unreadable_text(const TextPlaces& places) {
  const auto text = places.text();
  if (text.size() > kTextBytesMax)
    return Diagnostic{places.mark(0, 0), "", "the file is larger than 1 MiB", "is this the right file?", false};
  for (std::size_t i = 0; i < text.size();) {
    const auto length = utf8_length(text.substr(i));
    if (length == 0) return Diagnostic{places.mark_at(i), "", "not UTF-8 text", "save the file as UTF-8", false};
    if (is_control(text[i]))
      return Diagnostic{places.mark_at(i), "", "a control character", "remove it, or write it as an escape in quotes",
                        false};
    i += length;
  }
  return std::nullopt;
}

Diagnostic syntax_diagnostic(const TextPlaces& places, int line0, int byte0, const std::string& what) {
  return {places.mark(line0, byte0), "", "not YAML: " + what, syntax_hint(places.line(line0), what), false};
}

}  // namespace relay::config
