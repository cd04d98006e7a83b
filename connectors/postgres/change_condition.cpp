#include "connectors/postgres/change_condition.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace relay::connectors::postgres {
namespace {

constexpr int kDeepest = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }

// A decimal number as digits without leading or trailing zeros: 0.DIGITS x 10^exponent.
struct Decimal {
  bool negative = false;
  std::string digits;  // empty: zero
  long exponent = 0;
};

std::optional<Decimal> decimal(std::string_view text) {
  Decimal d;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    d.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const auto e = text.find_first_of("eE");
  const auto mantissa = text.substr(0, e);
  if (e != std::string_view::npos) {
    auto power = text.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const auto end = power.data() + power.size();
    const auto [at, error] = std::from_chars(power.data(), end, d.exponent);
    if (error != std::errc{} || at != end || d.exponent > 1'000'000 || d.exponent < -1'000'000) return std::nullopt;
  }
  bool point = false, any = false;
  for (const char c : mantissa) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(c)) return std::nullopt;
    any = true;
    if (d.digits.empty() && c == '0') {
      if (point) --d.exponent;
      continue;
    }
    d.digits += c;
    if (!point) ++d.exponent;
  }
  if (!any) return std::nullopt;
  d.digits.erase(d.digits.find_last_not_of('0') + 1);
  if (d.digits.empty()) return Decimal{};
  return d;
}

int sign_of(const Decimal& d) { return d.digits.empty() ? 0 : d.negative ? -1 : 1; }

// PostgreSQL's order of numbers: -Infinity, the finite ones (0), Infinity, NaN.
int beyond_finite(std::string_view text) {
  return text == "-Infinity" ? -1 : text == "Infinity" ? 1 : text == "NaN" ? 2 : 0;
}

}  // namespace

NumberOrder compare_numbers(std::string_view left, std::string_view right) {
  const int left_end = beyond_finite(left), right_end = beyond_finite(right);
  const auto a = left_end ? Decimal{} : decimal(left), b = right_end ? Decimal{} : decimal(right);
  if (!a || !b) return {};
  if (left_end || right_end) return {true, (left_end > right_end) - (left_end < right_end)};
  if (sign_of(*a) != sign_of(*b)) return {true, sign_of(*a) < sign_of(*b) ? -1 : 1};
  int magnitude = a->exponent != b->exponent ? (a->exponent < b->exponent ? -1 : 1) : a->digits.compare(b->digits);
  if (a->digits.empty()) magnitude = 0;
  magnitude = (magnitude > 0) - (magnitude < 0);
  return {true, a->negative ? -magnitude : magnitude};
}

// Recursive descent; what it refuses, it names with its place in the text.
class ConditionParser {
 public:
  explicit ConditionParser(std::string_view text) : text_(text) {}

  tl::expected<ChangeCondition, std::string> parse() {
    condition_.text_ = std::string(text_);
    condition_.root_ = either(0);
    space();
    if (error_.empty() && at_ != text_.size()) complain("something stands behind the condition");
    if (!error_.empty()) return tl::unexpected(error_);
    return std::move(condition_);
  }

 private:
  using Kind = ChangeCondition::Kind;
  using Operand = ChangeCondition::Operand;

  int complain(const std::string& what) {
    if (error_.empty()) error_ = what + " (at character " + std::to_string(at_ + 1) + ")";
    return -1;
  }
  int add(ChangeCondition::Node node) {
    condition_.nodes_.push_back(std::move(node));
    return static_cast<int>(condition_.nodes_.size()) - 1;
  }
  int join(Kind kind, int left, int right) {
    ChangeCondition::Node node;
    node.kind = kind;
    node.left = left;
    node.right = right;
    return add(std::move(node));
  }
  int negated(int node) { return join(Kind::negation, node, -1); }
  int comparison(Kind kind, Operand a, Operand b) {
    ChangeCondition::Node node;
    node.kind = kind;
    node.a = std::move(a);
    node.b = std::move(b);
    return add(std::move(node));
  }

  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(std::string_view symbol) {
    space();
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    return true;
  }
  bool word(std::string_view wanted) {
    space();
    const auto rest = text_.substr(at_, wanted.size());
    const auto same = std::equal(rest.begin(), rest.end(), wanted.begin(), wanted.end(),
                                 [](char a, char b) { return (a | 0x20) == b; });
    const auto end = at_ + wanted.size();
    if (!same || (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '.'))) return false;
    at_ = end;
    return true;
  }

  int either(int depth) {
    int left = both(depth);
    while (error_.empty() && word("or")) left = join(Kind::either, left, both(depth));
    return left;
  }
  int both(int depth) {
    int left = negation(depth);
    while (error_.empty() && word("and")) left = join(Kind::both, left, negation(depth));
    return left;
  }
  int negation(int depth) {
    if (depth > kDeepest) return complain("it is nested too deeply");
    if (word("not")) return negated(negation(depth + 1));
    if (!take("(")) return test();
    const int inner = either(depth + 1);
    if (error_.empty() && !take(")")) return complain("a closing bracket is missing");
    return inner;
  }

  int test() {
    auto a = operand();
    if (!error_.empty()) return -1;
    if (word("is")) return after_is(std::move(a));
    if (word("in")) return any_of(std::move(a));
    if (word("not")) return word("in") ? negated(any_of(std::move(a))) : complain("'in' is expected");
    static constexpr std::pair<std::string_view, Kind> kOperators[] = {
        {"<>", Kind::unequal}, {"!=", Kind::unequal}, {"<=", Kind::at_most}, {">=", Kind::at_least},
        {"=", Kind::equal},    {"<", Kind::less},     {">", Kind::more}};
    for (const auto& [symbol, kind] : kOperators)
      if (take(symbol)) return comparison(kind, std::move(a), operand());
    return complain("a comparison is expected: = <> < <= > >=, is null, is distinct from, in (...)");
  }

  int after_is(Operand a) {
    const bool negative = word("not");
    int node = -1;
    if (word("null")) {
      node = comparison(Kind::null, std::move(a), {});
    } else if (word("distinct")) {
      if (!word("from")) return complain("'from' is expected");
      node = comparison(Kind::distinct, std::move(a), operand());
    } else {
      return complain("'null' or 'distinct from' is expected");
    }
    return negative ? negated(node) : node;
  }

  int any_of(Operand a) {
    if (!take("(")) return complain("an opening bracket is expected");
    int node = comparison(Kind::equal, a, operand());
    while (error_.empty() && take(",")) node = join(Kind::either, node, comparison(Kind::equal, a, operand()));
    if (error_.empty() && !take(")")) return complain("a closing bracket is missing");
    return node;
  }

  Operand operand() {
    space();
    if (at_ >= text_.size()) return complain("a value is expected"), Operand{};
    if (text_[at_] == '\'') return {-1, quoted('\''), false};
    if (word("true")) return {-1, "t", false};
    if (word("false")) return {-1, "f", false};
    if (is_digit(text_[at_]) || text_[at_] == '-' || text_[at_] == '.') return number();
    return column();
  }

  Operand number() {
    const auto begin = at_;
    while (at_ < text_.size() && (is_digit(text_[at_]) || is_letter(text_[at_]) || text_[at_] == '.' || text_[at_] == '-' ||
                                  text_[at_] == '+'))
      ++at_;
    const auto digits = text_.substr(begin, at_ - begin);
    if (!decimal(digits)) {
      at_ = begin;
      complain("this is no number");
    }
    return {-1, std::string(digits), true};
  }

  Operand column() {
    const bool old = take("old.");
    if (!old && !take("new.")) return complain("old.COLUMN, new.COLUMN, 'text' or a number is expected"), Operand{};
    std::string name;
    if (at_ < text_.size() && text_[at_] == '"')
      name = quoted('"');
    else
      while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '$')) name += text_[at_++];
    if (name.empty() && error_.empty()) return complain("a column's name is expected"), Operand{};
    ChangeCondition::Column wanted{old, std::move(name)};
    auto& columns = condition_.columns_;
    auto found = std::find(columns.begin(), columns.end(), wanted);
    if (found == columns.end()) found = columns.insert(found, std::move(wanted));
    return {static_cast<int>(found - columns.begin()), "", false};
  }

  // As SQL writes them: the quote doubled inside.
  std::string quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != quote) {
        out += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        out += quote;
        ++at_;
      } else {
        ++at_;
        return out;
      }
    }
    complain("a closing quote is missing");
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
  ChangeCondition condition_;
};

tl::expected<ChangeCondition, std::string> ChangeCondition::parse(std::string_view text) {
  return ConditionParser(text).parse();
}

bool ChangeCondition::holds(std::span<const std::string_view> values) const {
  return truth(root_, values) == Truth::yes;
}

ChangeCondition::Truth ChangeCondition::truth(int at, std::span<const std::string_view> values) const {
  const auto& node = nodes_[static_cast<std::size_t>(at)];
  if (node.kind > Kind::negation) return compare(node, values);
  const auto left = truth(node.left, values);
  if (node.kind == Kind::negation)
    return left == Truth::unknown ? left : left == Truth::yes ? Truth::no : Truth::yes;
  const auto decides = node.kind == Kind::both ? Truth::no : Truth::yes;
  if (left == decides) return decides;
  const auto right = truth(node.right, values);
  return right == decides ? decides : left == Truth::unknown ? left : right;
}

ChangeCondition::Truth ChangeCondition::compare(const Node& node, std::span<const std::string_view> values) const {
  const auto value = [&](const Operand& o) {
    return o.column < 0 ? std::string_view(o.text) : values[static_cast<std::size_t>(o.column)];
  };
  const auto truth_of = [](bool b) { return b ? Truth::yes : Truth::no; };
  const auto a = value(node.a);
  if (node.kind == Kind::null) return truth_of(a.data() == nullptr);
  const auto b = value(node.b);
  if (a.data() == nullptr || b.data() == nullptr)
    return node.kind == Kind::distinct ? truth_of(a.data() != b.data()) : Truth::unknown;
  const bool by_equality = node.kind == Kind::equal || node.kind == Kind::unequal || node.kind == Kind::distinct;
  int order = a.compare(b);
  if (node.a.bare || node.b.bare || !by_equality)
    if (const auto numbers = compare_numbers(a, b); numbers.valid) order = numbers.sign;
  switch (node.kind) {
    case Kind::equal: return truth_of(order == 0);
    case Kind::less: return truth_of(order < 0);
    case Kind::at_most: return truth_of(order <= 0);
    case Kind::more: return truth_of(order > 0);
    case Kind::at_least: return truth_of(order >= 0);
    default: return truth_of(order != 0);
  }
}

}  // namespace relay::connectors::postgres
