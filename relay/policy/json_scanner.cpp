#include "relay/policy/json_scanner.h"

#include <bit>
#include <charconv>
#include <cstring>

namespace relay::policy {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101u;
constexpr std::uint64_t kHighs = 0x8080808080808080u;

constexpr std::uint64_t zero_bytes(std::uint64_t word) { return (word - kOnes) & ~word & kHighs; }

// How many of the eight bytes are neither quote, backslash, control character nor beyond ASCII, up to the first that
// is. What a subtraction borrows makes false hits only behind a true one.
int plain_bytes(const char* p) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  const auto control = (word - kOnes * 0x20) & ~word;
  const auto hits = ((word | control) & kHighs) | zero_bytes(word ^ kOnes * '"') | zero_bytes(word ^ kOnes * '\\');
  return hits == 0 ? 8 : std::countr_zero(hits) / 8;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

std::uint32_t read_hex4(const char* p) {
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i) code = code << 4 | static_cast<std::uint32_t>(hex_value(p[i]));
  return code;
}

char short_escape(char c) {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

}  // namespace

std::optional<JsonScanner::Text> JsonScanner::string() {
  if (!take('"')) return fail(JsonFault::syntax), std::nullopt;
  const char* const first = p_;
  bool escaped = false;
  for (;;) {
    skip_plain();
    if (p_ == end_) return fail(JsonFault::syntax), std::nullopt;
    if (*p_ == '"') break;
    escaped |= *p_ == '\\';
    if (!character()) return std::nullopt;
  }
  Text text{{first, static_cast<std::size_t>(p_ - first)}, escaped};
  ++p_;
  return text;
}

void JsonScanner::skip_plain() {
  while (end_ - p_ >= 8) {
    const int plain = plain_bytes(p_);
    p_ += plain;
    if (plain < 8) return;
  }
}

bool JsonScanner::character() {
  const auto c = static_cast<unsigned char>(*p_);
  if (c == '\\') return escape();
  if (c < 0x20) return fail(JsonFault::syntax);
  if (c >= 0x80) return utf8_sequence();
  ++p_;
  return true;
}

bool JsonScanner::utf8_sequence() {
  const auto lead = static_cast<unsigned char>(*p_);
  if (lead < 0xC2 || lead > 0xF4) return fail(JsonFault::utf8);
  const int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (end_ - p_ < length) return fail(JsonFault::utf8);
  // The second byte's range leaves out overlong forms, surrogates, and what is above U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const auto second = static_cast<unsigned char>(p_[1]);
  if (second < low || second > high) return fail(JsonFault::utf8);
  for (int i = 2; i < length; ++i)
    if ((static_cast<unsigned char>(p_[i]) & 0xC0) != 0x80) return fail(JsonFault::utf8);
  p_ += length;
  return true;
}

std::optional<std::uint32_t> JsonScanner::hex4() {
  if (end_ - p_ < 4) return std::nullopt;
  for (int i = 0; i < 4; ++i)
    if (hex_value(p_[i]) < 0) return std::nullopt;
  const auto code = read_hex4(p_);
  p_ += 4;
  return code;
}

bool JsonScanner::escape() {
  ++p_;
  if (p_ == end_) return fail(JsonFault::syntax);
  const char c = *p_++;
  if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos || fail(JsonFault::syntax);
  const auto code = hex4();
  if (!code) return fail(JsonFault::syntax);
  if (*code < 0xD800 || *code > 0xDFFF) return true;
  if (*code > 0xDBFF || end_ - p_ < 2 || p_[0] != '\\' || p_[1] != 'u') return fail(JsonFault::surrogate);
  p_ += 2;
  const auto low = hex4();
  if (!low) return fail(JsonFault::syntax);
  return (*low >= 0xDC00 && *low <= 0xDFFF) || fail(JsonFault::surrogate);
}

bool JsonScanner::digits() {
  const char* const first = p_;
  while (p_ != end_ && *p_ >= '0' && *p_ <= '9') ++p_;
  return p_ != first || fail(JsonFault::syntax);
}

std::optional<std::string_view> JsonScanner::number() {
  constexpr std::size_t kSurelySmall = 300;  // so many digits without an exponent are below 1e308
  const char* const first = p_;
  bool exponent = false;
  take('-');
  if (!take('0') && !digits()) return std::nullopt;
  if (take('.') && !digits()) return std::nullopt;
  if (take('e') || take('E')) {
    exponent = true;
    if (!take('+')) take('-');
    if (!digits()) return std::nullopt;
  }
  const std::string_view text(first, static_cast<std::size_t>(p_ - first));
  if (exponent || text.size() > kSurelySmall) {
    double value = 0;
    if (std::from_chars(first, p_, value).ec != std::errc{}) return fail(JsonFault::number), std::nullopt;
  }
  return text;
}

bool JsonScanner::word(std::string_view expected) {
  if (static_cast<std::size_t>(end_ - p_) < expected.size() || std::memcmp(p_, expected.data(), expected.size()) != 0)
    return fail(JsonFault::syntax);
  p_ += expected.size();
  return true;
}

void unescape(std::string_view raw, std::string& out) {
  const char* p = raw.data();
  const char* const end = p + raw.size();
  while (p != end) {
    const auto* const slash = static_cast<const char*>(std::memchr(p, '\\', static_cast<std::size_t>(end - p)));
    out.append(p, slash != nullptr ? slash : end);
    if (slash == nullptr) return;
    p = slash + 2;
    if (slash[1] != 'u') {
      out += short_escape(slash[1]);
      continue;
    }
    auto code = read_hex4(p);
    p += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
      code = 0x10000 + ((code - 0xD800) << 10) + (read_hex4(p + 2) - 0xDC00);
      p += 6;
    }
    append_utf8(code, out);
  }
}

}  // namespace relay::policy
