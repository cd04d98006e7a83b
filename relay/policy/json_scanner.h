// The tokens of one JSON text (RFC 8259), strictly and within bounds: these are foreign bytes, and what is taken for a
// string here must be one for every reader of the event. Never reads past the end, allocates nothing. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::policy {

enum class JsonFault : std::uint8_t {
  none,
  syntax,         // no JSON, something after its end, or a control character in a string
  utf8,           // invalid UTF-8
  surrogate,      // \uD800 to \uDFFF without its other half: no character
  number,         // beyond what a double can hold
  depth,          // more than kDepthMax arrays and objects in each other
  size,           // more than kBytesMax
  duplicate_key,  // twice the same name in one object: readers differ in which one counts
  wrong_type,     // a rule is for something else than what is there
};

class JsonScanner {
 public:
  static constexpr int kDepthMax = 64;
  static constexpr std::size_t kBytesMax = 16u << 20;

  struct Text {
    std::string_view raw;  // between the quotes, valid; unescape() gives the text
    bool escaped = false;  // has a backslash
  };

  explicit JsonScanner(std::string_view json) : p_(json.data()), end_(json.data() + json.size()) {}

  const char* at() const { return p_; }
  bool at_end() const { return p_ == end_; }
  char peek() const { return p_ != end_ ? *p_ : '\0'; }
  bool take(char c) { return p_ != end_ && *p_ == c ? (++p_, true) : false; }
  void space() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }

  // Each begins at the value's first byte and ends behind its last. On a fault: false or nullopt, and fault() says
  // which.
  std::optional<Text> string();
  std::optional<std::string_view> number();
  bool word(std::string_view expected);

  JsonFault fault() const { return fault_; }
  bool fail(JsonFault fault) {
    if (fault_ == JsonFault::none) fault_ = fault;
    return false;
  }

 private:
  void skip_plain();
  bool character();
  bool escape();
  bool utf8_sequence();
  bool digits();
  std::optional<std::uint32_t> hex4();

  const char* p_;
  const char* end_;
  JsonFault fault_ = JsonFault::none;
};

// Appends the text that `raw` stands for, in UTF-8. REQUIRES: raw came from JsonScanner::string().
void unescape(std::string_view raw, std::string& out);

}  // namespace relay::policy
