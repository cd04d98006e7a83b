#include "connectors/postgres/change_condition.h"

#include <doctest/doctest.h>

#include <map>
#include <optional>

using namespace relay::connectors::postgres;

namespace {

using Row = std::map<std::string, std::optional<std::string>>;  // "old.a" -> value

bool holds(const std::string& text, const Row& row) {
  const auto condition = ChangeCondition::parse(text);
  REQUIRE_MESSAGE(condition, text << ": " << condition.error());
  std::vector<std::string_view> values;
  for (const auto& [old, name] : condition->columns()) {
    const auto& value = row.at((old ? "old." : "new.") + name);
    values.push_back(value ? std::string_view(*value) : std::string_view{});
  }
  return condition->holds(values);
}

std::string error(const std::string& text) {
  const auto condition = ChangeCondition::parse(text);
  REQUIRE_MESSAGE(!condition, text);
  return condition.error();
}

}  // namespace

TEST_CASE("comparisons of texts are byte by byte, and of numbers by value whatever their digits") {
  const Row row{{"new.s", "paid"}, {"new.n", "1.50"}, {"new.big", "123456789012345678901234567890"}, {"new.b", "t"}};
  CHECK(holds("new.s = 'paid'", row));
  CHECK_FALSE(holds("new.s = 'Paid'", row));
  CHECK(holds("new.s <> 'open' and new.s != 'x'", row));
  CHECK(holds("new.n = 1.5", row));
  CHECK_FALSE(holds("new.n = '1.5'", row));  // as a text
  CHECK(holds("new.n > 1.49999999999999999999 and new.n <= 1.5 and new.n >= 0.15e1 and new.n < 2", row));
  CHECK(holds("new.big > 123456789012345678901234567889", row));
  CHECK(holds("new.b = true", row));
  CHECK_FALSE(holds("new.b = false", row));
}

TEST_CASE("NULL is neither equal nor unequal, and 'is distinct from' treats it as a value") {
  const Row row{{"old.a", std::nullopt}, {"new.a", "x"}, {"new.b", std::nullopt}};
  CHECK_FALSE(holds("old.a = 'x'", row));
  CHECK_FALSE(holds("old.a <> 'x'", row));
  CHECK_FALSE(holds("not (old.a = 'x')", row));
  CHECK(holds("old.a is null and new.a is not null", row));
  CHECK(holds("old.a is distinct from new.a", row));
  CHECK(holds("old.a is not distinct from new.b", row));
  CHECK(holds("old.a = 'x' or new.a = 'x'", row));
  CHECK_FALSE(holds("old.a = 'x' and new.a = 'x'", row));
  CHECK_FALSE(holds("old.a in ('x', 'y')", row));
}

TEST_CASE("words bind as in SQL: not before and, and before or") {
  const Row row{{"new.a", "1"}, {"new.b", "2"}};
  CHECK(holds("new.a = 1 or new.b = 1 and new.b = 3", row));
  CHECK_FALSE(holds("(new.a = 1 or new.b = 1) and new.b = 3", row));
  CHECK(holds("not new.a = 2 and new.b = 2", row));
  CHECK(holds("new.a in (3, 1) AND NOT new.b IS NULL", row));
}

TEST_CASE("names may be quoted, and texts hold doubled quotes") {
  CHECK(holds("new.\"The \"\"X\"\"\" = 'it''s'", {{"new.The \"X\"", "it's"}}));
  CHECK(holds("new.a not in ('x', 'y')", {{"new.a", "z"}}));
}

TEST_CASE("what is no condition is refused with its place") {
  CHECK(error("") == "a value is expected (at character 1)");
  CHECK(error("new.a") == "a comparison is expected: = <> < <= > >=, is null, is distinct from, in (...) (at character 6)");
  CHECK(error("status = 'x'") == "old.COLUMN, new.COLUMN, 'text' or a number is expected (at character 1)");
  CHECK(error("new.a = 'x") == "a closing quote is missing (at character 11)");
  CHECK(error("(new.a = 1") == "a closing bracket is missing (at character 11)");
  CHECK(error("new.a = 1 new.b = 2") == "something stands behind the condition (at character 11)");
  CHECK(error("new.a = 12abc") == "this is no number (at character 9)");
  CHECK(error(std::string(1000, '(')) == "it is nested too deeply (at character 66)");
}

TEST_CASE("numbers are compared exactly, at any length, sign and exponent") {
  const auto sign = [](const char* a, const char* b) {
    const auto order = compare_numbers(a, b);
    REQUIRE(order.valid);
    return order.sign;
  };
  CHECK(sign("0", "-0.000") == 0);
  CHECK(sign("-1", "1") == -1);
  CHECK(sign("-2", "-10") == 1);
  CHECK(sign("1e3", "1000.000") == 0);
  CHECK(sign("0.001", "1e-3") == 0);
  CHECK(sign("9.99", "10") == -1);
  CHECK(sign("0.0999", "0.1") == -1);
  CHECK(sign("-Infinity", "-1e300") == -1);
  CHECK(sign("Infinity", "1e300") == 1);
  CHECK(sign("NaN", "Infinity") == 1);
  CHECK(sign("NaN", "NaN") == 0);
  CHECK_FALSE(compare_numbers("NaN", "a").valid);
  CHECK_FALSE(compare_numbers("1", "").valid);
  CHECK_FALSE(compare_numbers("1.2.3", "1").valid);
}
