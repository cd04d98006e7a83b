#include "relay/policy/text_actions.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "relay/policy/code_points.h"

namespace relay::policy {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Mask final : public Action {
 public:
  Mask(std::size_t first, std::size_t last) : first_(first), last_(last) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    const auto count = count_characters(value.text);
    const bool whole = count <= first_ + last_;
    const auto head = whole ? 0 : first_, tail = whole ? 0 : last_;
    const auto tail_at = bytes_of_characters(value.text, count - tail);
    out += value.text.substr(0, bytes_of_characters(value.text, head));
    out.append(count - head - tail, '*');
    if (tail > 0) out += value.text.substr(tail_at);
    return Changed::to_text;
  }

 private:
  std::size_t first_, last_;
};

class Truncate final : public Action {
 public:
  explicit Truncate(std::size_t characters) : characters_(characters) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    const auto bytes = bytes_of_characters(value.text, characters_);
    if (bytes == value.text.size()) return Changed::no;
    out += value.text.substr(0, bytes);
    return Changed::to_text;
  }

 private:
  std::size_t characters_;
};

class MaskedEmail final : public Action {
 public:
  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    out += "***";
    out += kept_domain(value.text);
    return Changed::to_text;
  }
};

class Bucket final : public Action {
 public:
  explicit Bucket(std::int64_t width) : width_(width) {}

  Changed apply(const Scalar& value, std::string& out) override {
    constexpr double kExact = 9007199254740992.0;
    double number = 0;
    const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
    const bool whole_text = error == std::errc{} && end == value.text.data() + value.text.size();
    if (value.type == Scalar::Type::boolean || !whole_text || !(std::abs(number) <= kExact)) return Changed::wrong_type;
    const auto low = std::floor(number / static_cast<double>(width_)) * static_cast<double>(width_);
    if (!(std::abs(low) <= kExact)) return Changed::wrong_type;
    out += std::to_string(static_cast<std::int64_t>(low));
    return value.type == Scalar::Type::number ? Changed::to_number : Changed::to_text;
  }

 private:
  std::int64_t width_;
};

class Date final : public Action {
 public:
  explicit Date(DatePart part) : part_(part) {}

  Changed apply(const Scalar& value, std::string& out) override {
    const auto text = value.text;
    if (value.type != Scalar::Type::string || !begins_with_date(text)) return Changed::wrong_type;
    out += text.substr(0, part_ == DatePart::year ? 4 : part_ == DatePart::month ? 7 : 10);
    return Changed::to_text;
  }

 private:
  static bool begins_with_date(std::string_view text) {
    if (text.size() < 10 || text[4] != '-' || text[7] != '-') return false;
    for (const std::size_t i : {0, 1, 2, 3, 5, 6, 8, 9})
      if (!is_digit(text[i])) return false;
    const auto two = [&](std::size_t i) { return (text[i] - '0') * 10 + (text[i + 1] - '0'); };
    if (two(5) < 1 || two(5) > 12 || two(8) < 1 || two(8) > 31) return false;
    return text.size() == 10 || text[10] == 'T' || text[10] == 't' || text[10] == ' ';
  }
  DatePart part_;
};

class Network final : public Action {
 public:
  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type != Scalar::Type::string) return Changed::wrong_type;
    const auto text = value.text.substr(0, value.text.find('/'));  // PostgreSQL's inet may carry a prefix length
    std::array<char, INET6_ADDRSTRLEN> copy{};
    if (text.size() >= copy.size()) return Changed::wrong_type;
    std::copy(text.begin(), text.end(), copy.begin());
    std::array<unsigned char, sizeof(in6_addr)> address{};
    const int family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
    if (text.find('\0') != std::string_view::npos || ::inet_pton(family, copy.data(), address.data()) != 1)
      return Changed::wrong_type;
    const std::size_t kept = family == AF_INET ? 3 : 6;
    std::fill(address.begin() + static_cast<std::ptrdiff_t>(kept), address.end(), static_cast<unsigned char>(0));
    if (::inet_ntop(family, address.data(), copy.data(), copy.size()) == nullptr) return Changed::wrong_type;
    out += copy.data();
    out += family == AF_INET ? "/24" : "/48";
    return Changed::to_text;
  }
};

}  // namespace

std::string_view kept_domain(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos) return {};
  const auto domain = address.substr(at + 1);
  const auto is_of_name = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  };
  const auto dot = domain.find('.');
  const bool named = dot != std::string_view::npos && dot != 0 && domain.back() != '.' && domain.size() <= 253 &&
                     std::all_of(domain.begin(), domain.end(), is_of_name);
  return named ? address.substr(at) : std::string_view{};
}

std::unique_ptr<Action> mask_action(std::size_t keep_first, std::size_t keep_last) {
  return std::make_unique<Mask>(keep_first, keep_last);
}
std::unique_ptr<Action> truncate_action(std::size_t characters) { return std::make_unique<Truncate>(characters); }
std::unique_ptr<Action> email_action() { return std::make_unique<MaskedEmail>(); }
std::unique_ptr<Action> bucket_action(std::int64_t width) { return std::make_unique<Bucket>(width); }
std::unique_ptr<Action> date_action(DatePart part) { return std::make_unique<Date>(part); }
std::unique_ptr<Action> network_action() { return std::make_unique<Network>(); }

}  // namespace relay::policy
