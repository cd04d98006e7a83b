// Where things stand in a text, and YAML's syntax errors in words that help.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/config/diagnostic.h"

namespace relay::config {

// Lines of a text. yaml-cpp counts lines and bytes from 0; people count lines and characters from 1. The text outlives
// it.
class TextPlaces {
 public:
  TextPlaces(std::string file, std::string_view text);

  Mark mark(int line0, int byte0) const;
  Mark mark_at(std::size_t offset) const;
  std::string_view line(int line0) const;  // empty when there is none
  std::string_view text() const { return text_; }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

// Too long, not UTF-8, or with control characters: not handed to the YAML parser.
std::optional<Diagnostic> unreadable_text(const TextPlaces& places);

Diagnostic syntax_diagnostic(const TextPlaces& places, int line0, int byte0, const std::string& what);

}  // namespace relay::config
