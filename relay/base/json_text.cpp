#include "relay/base/json_text.h"

#include <array>
#include <cstdint>

namespace relay {
namespace {

// Walks over one document without building anything; `open_` holds the closing bracket of each open container.
class SyntaxCheck {
 public:
  explicit SyntaxCheck(std::string_view text) : p_(text.data()), end_(text.data() + text.size()) {}

  bool document() {
    while (value())
      if (const auto more = after_value(); more != More::yes) return more == More::done;
    return false;
  }

 private:
  enum class More { yes, done, broken };

  bool at(char c) const { return p_ != end_ && *p_ == c; }
  bool take(char c) { return at(c) ? (++p_, true) : false; }
  void space() {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
  }

  // A scalar, an empty container up to its closing bracket, or the opening of a container and its first value.
  bool value() {
    for (;;) {
      space();
      if (take('{')) {
        open_.push_back('}');
        space();
        if (at('}')) return true;
        if (!key()) return false;
      } else if (take('[')) {
        open_.push_back(']');
        space();
        if (at(']')) return true;
      } else {
        return scalar();
      }
    }
  }

  // Closes what closes here; then a comma (and a key), or the end of the document.
  More after_value() {
    for (space(); !open_.empty() && take(open_.back()); space()) open_.pop_back();
    if (open_.empty()) return p_ == end_ ? More::done : More::broken;
    if (!take(',')) return More::broken;
    space();
    return open_.back() == ']' || key() ? More::yes : More::broken;
  }

  bool key() {
    if (!string()) return false;
    space();
    return take(':');
  }

  bool scalar() {
    if (at('"')) return string();
    if (at('t')) return word("true");
    if (at('f')) return word("false");
    if (at('n')) return word("null");
    return number();
  }

  bool word(std::string_view expected) {
    if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(expected)) return false;
    p_ += expected.size();
    return true;
  }

  bool string() {
    if (!take('"')) return false;
    while (p_ != end_) {
      const auto c = static_cast<unsigned char>(*p_++);
      if (c == '"') return true;
      if (c < 0x20 || (c == '\\' && !escape())) return false;
    }
    return false;
  }

  bool escape() {
    if (p_ == end_) return false;
    const char c = *p_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++p_)
      if (p_ == end_ || std::string_view("0123456789abcdefABCDEF").find(*p_) == std::string_view::npos) return false;
    return true;
  }

  bool digits() {
    const auto* first = p_;
    while (p_ != end_ && *p_ >= '0' && *p_ <= '9') ++p_;
    return p_ != first;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  const char* p_;
  const char* end_;
  std::string open_;
};

constexpr std::string_view kHex = "0123456789abcdef";

}  // namespace

bool is_utf8(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u; };
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = at(i++);
    if (lead < 0x80) continue;
    if (lead < 0xC2 || lead > 0xF4) return false;
    // The second byte's range leaves out overlong forms, surrogates, and what is above U+10FFFF.
    const auto low = lead == 0xE0 ? 0xA0u : lead == 0xF0 ? 0x90u : 0x80u;
    const auto high = lead == 0xED ? 0x9Fu : lead == 0xF4 ? 0x8Fu : 0xBFu;
    if (at(i) < low || at(i) > high) return false;
    const auto end = i + (lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3);
    for (++i; i < end; ++i)
      if ((at(i) & 0xC0) != 0x80) return false;
  }
  return true;
}

bool is_json(std::string_view text) { return SyntaxCheck(text).document() && is_utf8(text); }

// Inside of strings JSON allows no raw line breaks, and no two tokens need white space between them.
void append_on_one_line(std::string_view json, std::string& out) {
  for (auto end = json.find_first_of("\r\n"); end != std::string_view::npos; end = json.find_first_of("\r\n")) {
    out += json.substr(0, end);
    json.remove_prefix(end + 1);
  }
  out += json;
}

void append_escaped(unsigned char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  const char* plain = text.data();
  const char* const end = text.data() + text.size();
  for (const char* p = plain; p != end; ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(plain, p);
    append_escaped(c, out);
    plain = p + 1;
  }
  out.append(plain, end);
  out += '"';
}

void append_base64(std::string_view bytes, std::string& out) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = i; j < i + 3; ++j)
      group = (group << 8) | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    const std::array<char, 4> text{kAlphabet[group >> 18], kAlphabet[(group >> 12) & 63],
                                   i + 1 < bytes.size() ? kAlphabet[(group >> 6) & 63] : '=',
                                   i + 2 < bytes.size() ? kAlphabet[group & 63] : '='};
    out.append(text.data(), text.size());
  }
  out += '"';
}

}  // namespace relay
