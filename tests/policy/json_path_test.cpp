#include "relay/policy/json_path.h"

#include <doctest/doctest.h>

using namespace relay::policy;

namespace {

std::string one_spelling(std::string_view text) {
  const auto path = JsonPath::parse(text);
  return path ? path->text() : "at " + std::to_string(path.error().position) + ": " + path.error().message;
}

int compared(std::string_view a, std::string_view b) {
  const int result = compare_paths(*JsonPath::parse(a), *JsonPath::parse(b));
  CHECK((result > 0) == (compare_paths(*JsonPath::parse(b), *JsonPath::parse(a)) < 0));
  return result > 0 ? 1 : result < 0 ? -1 : 0;
}

}  // namespace

TEST_CASE("a path has one spelling") {
  CHECK(one_spelling("$") == "$");
  CHECK(one_spelling("$.a.b") == "$.a.b");
  CHECK(one_spelling("$['a'][\"b\"]") == "$.a.b");
  CHECK(one_spelling("$.items[*].x") == "$.items[*].x");
  CHECK(one_spelling("$.items[007]") == "$.items[7]");
  CHECK(one_spelling("$['odd name']") == "$['odd name']");
  CHECK(one_spelling(R"($['it\'s'])") == R"($['it\'s'])");
  CHECK(one_spelling("$['']") == "$['']");
  CHECK(one_spelling("$..ssn") == "$..ssn");
  CHECK(one_spelling("$..['ssn']") == "$..ssn");
  CHECK(one_spelling("$.*.email") == "$.*.email");
  CHECK(one_spelling("$.größe") == "$.größe");
}

TEST_CASE("what is wrong with a path is said with its place") {
  CHECK(one_spelling("a.b") == "at 0: a path begins with $");
  CHECK(one_spelling("") == "at 0: a path begins with $");
  CHECK(one_spelling("$a") == "at 1: expected . or [");
  CHECK(one_spelling("$.") == "at 2: expected a name; write ['...'] around one with other characters");
  CHECK(one_spelling("$.a b") == "at 3: expected . or [");
  CHECK(one_spelling("$.a[x]") == "at 4: expected an index, * or a quoted name");
  CHECK(one_spelling("$.a[1") == "at 5: expected ]");
  CHECK(one_spelling("$.a[-1]") == "at 4: expected an index, * or a quoted name");
  CHECK(one_spelling("$['a") == "at 4: the quoted name does not end");
  CHECK(one_spelling("$['a'") == "at 5: expected ]");
  CHECK(one_spelling("$..*") == "at 3: ..* would be every value: name a member after ..");
  CHECK(one_spelling("$..[0]") == "at 4: after .. only a name may stand: $..name or $..['name']");
  CHECK(one_spelling("$[99999999999999999999]") == "at 2: expected an index, * or a quoted name");
  std::string deep = "$";
  for (int i = 0; i < 61; ++i) deep += ".a";
  CHECK(one_spelling(deep).find("too many steps") != std::string::npos);
}

TEST_CASE("a name is more specific than any name, and both more than a search") {
  CHECK(compared("$.a.b", "$.a.*") == 1);
  CHECK(compared("$.a.b", "$.*.b") == 1);
  CHECK(compared("$.*.b", "$.a.*") == 1);
  CHECK(compared("$.a.b", "$..b") == 1);
  CHECK(compared("$.a.*", "$..b") == -1);
  CHECK(compared("$..a.b", "$..b") == 1);
  CHECK(compared("$.x..b", "$..b") == 1);
  CHECK(compared("$.items[0]", "$.items[*]") == 1);
  CHECK(compared("$.a", "$.a") == 0);
}
