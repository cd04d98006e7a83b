// A condition on the old and the new values of a row, as `when:` of an event rule has it. Pure.
//
//   new.status = 'paid' and old.status is distinct from new.status
//   new.total >= 100 or not (old.note is null)
//   new.country in ('DE', 'FR')
//
// SQL's words and its three-valued logic. Values are compared in PostgreSQL's text form: as numbers when both sides are
// decimal numbers (1.50 = 1.5) and one of them is written without quotes or the operator asks for an order; byte by byte
// otherwise. A boolean column is compared with true and false.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace relay::connectors::postgres {

// Sign of the difference of two decimal numbers of any length ("-12.50", "1e3"), exactly; nullopt in `valid` when one
// is none.
struct NumberOrder {
  bool valid = false;
  int sign = 0;
};
NumberOrder compare_numbers(std::string_view a, std::string_view b);

class ChangeCondition {
 public:
  struct Column {
    bool old = false;  // old.name, otherwise new.name
    std::string name;

    bool operator==(const Column&) const = default;
  };

  // On failure: what is wrong, and where.
  static tl::expected<ChangeCondition, std::string> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<Column>& columns() const { return columns_; }  // each once

  // `values` of columns(), in their order; data() == nullptr is NULL. True only when the condition is (not: unknown).
  bool holds(std::span<const std::string_view> values) const;

 private:
  friend class ConditionParser;
  enum class Truth : std::uint8_t { no, yes, unknown };
  enum class Kind : std::uint8_t { both, either, negation, equal, unequal, less, at_most, more, at_least, null, distinct };
  struct Operand {
    int column = -1;   // into columns(); -1: the literal
    std::string text;  // of the literal
    bool bare = false; // the literal was written without quotes
  };
  struct Node {
    Kind kind = Kind::both;
    int left = -1, right = -1;  // into nodes_, of both, either and negation
    Operand a, b;               // of a comparison
  };
  Truth truth(int node, std::span<const std::string_view> values) const;
  Truth compare(const Node& node, std::span<const std::string_view> values) const;

  std::string text_;
  std::vector<Column> columns_;
  std::vector<Node> nodes_;
  int root_ = -1;
};

}  // namespace relay::connectors::postgres
