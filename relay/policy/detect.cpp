// The only file that includes RE2.
#include "relay/policy/detect.h"

#include <re2/re2.h>

#include <algorithm>

namespace relay::policy {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_word(char c) { return is_digit(c) || is_letter(c); }
// Letters beyond ASCII are taken for parts of an address: rather too much is taken out than too little.
bool is_local(char c) {
  return is_word(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_domain(char c) { return is_word(c) || c == '-' || c == '.' || static_cast<unsigned char>(c) >= 0x80; }

void find_emails(std::string_view text, std::size_t detector, std::vector<Found>& found) {
  for (auto at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    auto begin = at, end = at + 1;
    while (begin > 0 && is_local(text[begin - 1])) --begin;
    while (end < text.size() && is_domain(text[end])) ++end;
    while (end > at + 1 && (text[end - 1] == '.' || text[end - 1] == '-')) --end;
    const auto domain = text.substr(at + 1, end - at - 1);
    if (begin < at && domain.find('.') != std::string_view::npos && domain.front() != '.')
      found.push_back({begin, end, detector});
  }
}

// Groups of characters with single separators between them, beginning at `first`: at most kMost, ends only.
template <std::size_t kMost, typename Of, typename Between>
std::size_t group_ends(std::string_view text, std::size_t first, Of of, Between between, std::size_t (&ends)[kMost]) {
  std::size_t n = 0;
  for (auto at = first; n < kMost && at < text.size() && of(text[at]);) {
    while (at < text.size() && of(text[at])) ++at;
    ends[n++] = at;
    if (at + 1 < text.size() && between(text[at])) ++at;
  }
  return n;
}

bool luhn(std::string_view digits) {
  int sum = 0, count = 0;
  for (auto i = digits.size(); i > 0; --i) {
    if (!is_digit(digits[i - 1])) continue;
    const int digit = digits[i - 1] - '0';
    const int doubled = digit * 2;
    sum += count++ % 2 == 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return count >= 13 && count <= 19 && sum % 10 == 0;
}

void find_cards(std::string_view text, std::size_t detector, std::vector<Found>& found) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && is_digit(text[at - 1]))) continue;
    std::size_t ends[19];
    auto n = group_ends(text, at, is_digit, [](char c) { return c == ' ' || c == '-'; }, ends);
    for (; n > 0; --n)
      if (luhn(text.substr(at, ends[n - 1] - at))) {
        found.push_back({at, ends[n - 1], detector});
        break;
      }
  }
}

// ISO 13616: the first four characters go to the end, letters count from 10, and the number leaves 1 by 97.
bool iban(std::string_view text) {
  int remainder = 0;
  std::size_t count = 0;
  const auto take = [&](char c) {
    const int value = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    remainder = (value < 10 ? remainder * 10 + value : remainder * 100 + value) % 97;
    ++count;
  };
  std::size_t body = 0;
  for (std::size_t seen = 0; body < text.size() && seen < 4; ++body) seen += is_word(text[body]) ? 1 : 0;
  for (const char c : text.substr(body))
    if (is_word(c)) take(c);
  for (const char c : text.substr(0, body))
    if (is_word(c)) take(c);
  return count >= 15 && count <= 34 && remainder == 1;
}

void find_ibans(std::string_view text, std::size_t detector, std::vector<Found>& found) {
  for (std::size_t at = 0; at + 4 < text.size(); ++at) {
    if (!is_letter(text[at]) || !is_letter(text[at + 1]) || (at > 0 && is_word(text[at - 1]))) continue;
    const auto digits = text[at + 2] == ' ' ? at + 3 : at + 2;
    if (!is_digit(text[digits]) || digits + 1 >= text.size() || !is_digit(text[digits + 1])) continue;
    std::size_t ends[34];
    auto n = group_ends(text, at, is_word, [](char c) { return c == ' '; }, ends);
    for (; n > 0; --n)
      if (iban(text.substr(at, ends[n - 1] - at))) {
        found.push_back({at, ends[n - 1], detector});
        break;
      }
  }
}

void join_overlaps(std::vector<Found>& found) {
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::size_t kept = 0;
  for (const auto& next : found)
    if (kept > 0 && next.begin < found[kept - 1].end)
      found[kept - 1].end = std::max(found[kept - 1].end, next.end);
    else
      found[kept++] = next;
  found.resize(kept);
}

class Detect final : public Action {
 public:
  explicit Detect(Detectors detectors) : detectors_(std::move(detectors)) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::no;
    detectors_.find(value.text, found_);
    if (found_.empty()) return Changed::no;
    std::size_t from = 0;
    for (const auto& find : found_) {
      out += value.text.substr(from, find.begin - from);
      out += '[';
      out += detectors_.names()[find.detector];
      out += ']';
      from = find.end;
    }
    out += value.text.substr(from);
    return Changed::to_text;
  }

 private:
  Detectors detectors_;
  std::vector<Found> found_;
};

}  // namespace

struct Detectors::Own {
  std::size_t detector;
  std::unique_ptr<re2::RE2> expression;
};

Detectors::Detectors() : email_(kOff), card_(kOff), iban_(kOff) {}
Detectors::Detectors(Detectors&&) noexcept = default;
Detectors& Detectors::operator=(Detectors&&) noexcept = default;
Detectors::~Detectors() = default;

tl::expected<Detectors, Detectors::Problem> Detectors::make(bool email, bool card, bool iban_too,
                                                            const std::vector<OwnPattern>& own) {
  Detectors out;
  const auto add = [&](std::string name) {
    out.names_.push_back(std::move(name));
    return out.names_.size() - 1;
  };
  if (email) out.email_ = add("email");
  if (card) out.card_ = add("card");
  if (iban_too) out.iban_ = add("iban");
  for (const auto& pattern : own) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    auto expression = std::make_unique<re2::RE2>(pattern.expression, options);
    if (!expression->ok()) return tl::unexpected(Problem{pattern.name, expression->error()});
    if (re2::RE2::FullMatch("", *expression)) return tl::unexpected(Problem{pattern.name, "it matches the empty text"});
    out.own_.push_back({add(pattern.name), std::move(expression)});
  }
  return out;
}

Detectors Detectors::all() { return std::move(*make(true, true, true, {})); }

void Detectors::find(std::string_view text, std::vector<Found>& found) const {
  found.clear();
  if (email_ != kOff) find_emails(text, email_, found);
  if (card_ != kOff) find_cards(text, card_, found);
  if (iban_ != kOff) find_ibans(text, iban_, found);
  for (const auto& own : own_) {
    const re2::StringPiece whole(text.data(), text.size());
    re2::StringPiece match;
    for (std::size_t at = 0; own.expression->Match(whole, at, text.size(), re2::RE2::UNANCHORED, &match, 1);) {
      const auto begin = static_cast<std::size_t>(match.data() - text.data());
      at = begin + std::max<std::size_t>(match.size(), 1);
      if (!match.empty()) found.push_back({begin, begin + match.size(), own.detector});
      if (at > text.size()) break;
    }
  }
  if (found.size() > 1) join_overlaps(found);
}

std::unique_ptr<Action> detect_action(Detectors detectors) { return std::make_unique<Detect>(std::move(detectors)); }

}  // namespace relay::policy
