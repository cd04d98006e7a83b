#include "connectors/postgres/json_value.h"

#include <doctest/doctest.h>

#include "connectors/postgres/json_types.h"

using namespace relay::connectors::postgres;

namespace {

// Types of a database: an array of int4, of text, of box (with its semicolons), a composite, a domain over an array.
const std::vector<TypeFacts> kFacts{
    {1007, 'b', 23, ',', 0, {}},          {1009, 'b', 25, ',', 0, {}},
    {1020, 'b', 603, ';', 0, {}},         {50001, 'c', 0, ',', 0, {{"a", 23}, {"B", 25}, {"list", 1007}}},
    {50002, 'b', 50001, ',', 0, {}},      {50003, 'd', 0, ',', 1007, {}},
    {50004, 'e', 0, ',', 0, {}},
};

std::string json(std::uint32_t oid, std::string_view text) {
  static const JsonTypes types(kFacts);
  std::string out;
  return append_json(*types.find(oid), text, out) ? out : "(refused)";
}

}  // namespace

TEST_CASE("numbers keep their digits, and what is no JSON number is a string") {
  CHECK(json(1700, "123456789012345678901234567890.10") == "123456789012345678901234567890.10");
  CHECK(json(701, "-1e+300") == "-1e+300");
  CHECK(json(701, "NaN") == "\"NaN\"");
  CHECK(json(700, "-Infinity") == "\"-Infinity\"");
}

TEST_CASE("timestamps are ISO 8601 with a whole zone, and eras and infinities stay") {
  CHECK(json(1114, "2024-02-29 12:30:00.5") == "\"2024-02-29T12:30:00.5\"");
  CHECK(json(1184, "2024-02-29 12:30:00+00") == "\"2024-02-29T12:30:00+00:00\"");
  CHECK(json(1184, "2024-02-29 12:30:00-05:30") == "\"2024-02-29T12:30:00-05:30\"");
  CHECK(json(1184, "0044-03-15 10:00:00+00 BC") == "\"0044-03-15T10:00:00+00:00 BC\"");
  CHECK(json(1114, "\" 1") == "\"\\\" 1\"");  // whatever it is, it stays JSON
  CHECK(json(1114, "-infinity") == "\"-infinity\"");
}

TEST_CASE("arrays become lists, with quotes, escapes, NULLs, dimensions, bounds and other delimiters") {
  CHECK(json(1007, "{1,NULL,-3}") == "[1,null,-3]");
  CHECK(json(1007, "{{1,2},{3,4}}") == "[[1,2],[3,4]]");
  CHECK(json(1007, "[0:1]={7,8}") == "[7,8]");
  CHECK(json(1007, "{}") == "[]");
  CHECK(json(1009, R"({a,"NULL",NULL,"","q\"u\\o","c,d"})") == R"(["a","NULL",null,"","q\"u\\o","c,d"])");
  CHECK(json(1020, "{(3,4),(1,2);(5,6),(1,1)}") == R"x(["(3,4),(1,2)","(5,6),(1,1)"])x");
  CHECK(json(50003, "{1}") == "[1]");
  CHECK(json(22, "1 2 3") == "[1,2,3]");
  CHECK(json(22, "") == "[]");
}

TEST_CASE("composite values become objects, also inside of arrays") {
  CHECK(json(50001, R"x((1,"x ""y"" \\ (z), ","{1,2}"))x") == R"({"a":1,"B":"x \"y\" \\ (z), ","list":[1,2]})");
  CHECK(json(50001, "(,,)") == R"({"a":null,"B":null,"list":null})");
  CHECK(json(50002, R"x({"(1,a,)",NULL,"(,\"\",{})"})x") == R"([{"a":1,"B":"a","list":null},null,{"a":null,"B":"","list":[]}])");
}

TEST_CASE("a type that nobody knows is a string") {
  CHECK(json(50004, "so \"so\"") == R"("so \"so\"")");
  CHECK(json(99999, "[1,5)") == "\"[1,5)\"");
}

TEST_CASE("what is not of its type, or no UTF-8, is refused") {
  for (const auto* text : {"", "{", "{1", "{1,", "{1}}", "{1}x", "[0:1]", "{\"1", "{,}", "{1,}"}) CHECK(json(1007, text) == "(refused)");
  for (const auto* text : {"", "(", "(1", "(1,2)", "(1,2,{1},4)", "(1,2,{1})x"}) CHECK(json(50001, text) == "(refused)");
  CHECK(json(16, "maybe") == "(refused)");
  CHECK(json(25, "\xff") == "(refused)");
  CHECK(json(3802, "\"\xff\"") == "(refused)");
  CHECK(json(1007, std::string(5000, '{')) == "(refused)");
}
