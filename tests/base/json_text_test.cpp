#include "relay/base/json_text.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

using namespace relay;

namespace {

std::uint64_t seed() {
  const char* given = std::getenv("RELAY_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

std::string one_line(std::string_view json) {
  std::string out = "before ";
  append_on_one_line(json, out);
  return out.substr(7);
}

}  // namespace

TEST_CASE("JSON is told from what only looks like it") {
  for (const auto* good : {"{}", "[]", "0", "-0", "-1.5e+10", "1E-2", "\"\"", "null", "true", " \t\r\n{ } ", "[[],{}]",
                           "{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\\n\"}", "\"\xc3\xa9\""}) {
    CAPTURE(good);
    CHECK(is_json(good));
  }
  for (const auto* bad : {"",
                          " ",
                          "{",
                          "[",
                          "]",
                          "{]",
                          "[}",
                          "[1,]",
                          "[,1]",
                          "[1 2]",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\":1,}",
                          "{a:1}",
                          "{\"a\":1 \"b\":2}",
                          "{\"a\",1}",
                          "01",
                          "1.",
                          ".5",
                          "-",
                          "+1",
                          "1e",
                          "1e+",
                          "0x1",
                          "nul",
                          "nulll",
                          "True",
                          "'a'",
                          "\"a",
                          "\"\\x\"",
                          "\"\\u12g4\"",
                          "\"\\u12",
                          "\"\\",
                          "\"\n\"",
                          "{}{}",
                          "1 2",
                          "[1],",
                          "hello",
                          "NaN",
                          "\"\xc3(\"",
                          "\"\xff\""}) {
    CAPTURE(bad);
    CHECK_FALSE(is_json(bad));
  }
  CHECK_FALSE(is_json(std::string("1\0", 2)));
  CHECK_FALSE(is_json(std::string("\"\0\"", 3)));
}

TEST_CASE("numbers of any size and nesting of any depth are JSON") {
  CHECK(is_json("123456789012345678901234567890123456789012345678901234567890"));
  CHECK(is_json("[1e999,-1e-999]"));
  const std::size_t depth = 1'000'000;
  CHECK(is_json(std::string(depth, '[') + std::string(depth, ']')));
  CHECK_FALSE(is_json(std::string(depth, '[') + std::string(depth - 1, ']')));
}

TEST_CASE("the syntax check agrees with another parser about mutated documents") {
  const auto used = seed();
  MESSAGE("RELAY_TEST_SEED=" << used);
  std::mt19937_64 random(used);
  const std::string start = R"({"a":[1,-2.5e3,{"b":"x\u00e9\\\"y"},[],{}],"c":null,"d":true,"e":[false,"",0]})";
  const std::string pieces = "{}[],:\"\\u0123e-+. tfn\nax";
  int accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    auto text = start;
    for (auto changes = random() % 4; changes > 0; --changes) {
      const auto at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 3);
          break;
        case 1:
          text.insert(at, 1, pieces[random() % pieces.size()]);
          break;
        default:
          text[at] = pieces[random() % pieces.size()];
      }
      if (text.empty()) text = " ";
    }
    CAPTURE(text);
    const bool theirs = nlohmann::json::accept(text);
    const bool ours = is_json(text);
    // The other parser refuses lone surrogates (\ud800) and numbers beyond a double; these documents make neither.
    REQUIRE(ours == theirs);
    accepted += ours;
  }
  CHECK(accepted > 1'000);
  CHECK(accepted < 99'000);
}

TEST_CASE("a document on several lines is brought to one, without touching anything else") {
  CHECK(one_line("{\n  \"a\": 1.50,\r\n  \"b\": \"x y\\n\"\n}\n") == R"({  "a": 1.50,  "b": "x y\n"})");
  CHECK(one_line("[ 1, 2 ]") == "[ 1, 2 ]");
  CHECK(one_line("\n\r\n") == "");
}

TEST_CASE("UTF-8 is told from other bytes as another decoder does") {
  // Every lead byte with the neighbours of every limit behind it.
  const std::string tails[] = {"\x7f", "\x80", "\x8f", "\x90", "\x9f", "\xa0", "\xbf", "\xc0", ""};
  for (int lead = 0; lead < 256; ++lead)
    for (const auto& second : tails)
      for (const auto& third : tails)
        for (const auto& fourth : tails) {
          const auto text = static_cast<char>(lead) + second + third + fourth;
          bool theirs = true;
          try {
            (void)nlohmann::json(text).dump();
          } catch (const nlohmann::json::type_error&) {
            theirs = false;
          }
          CAPTURE(lead);
          REQUIRE(is_utf8(text) == theirs);
          REQUIRE(is_utf8("ok" + text + "ok") == theirs);
        }
}

TEST_CASE("quoted text is read back as it was by another parser, whatever bytes it has") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "\xc3\xbc\xe2\x80\xa8\xf0\x9f\x98\x80";
  std::string out;
  append_quoted(all, out);
  CHECK(out.find('\n') == std::string::npos);
  CHECK(nlohmann::json::parse(out).get<std::string>() == all);
}

TEST_CASE("base64 has the standard alphabet and padding") {
  const auto encoded = [](std::string_view bytes) {
    std::string out;
    append_base64(bytes, out);
    return out;
  };
  CHECK(encoded("") == "\"\"");
  CHECK(encoded("f") == "\"Zg==\"");
  CHECK(encoded("fo") == "\"Zm8=\"");
  CHECK(encoded("foo") == "\"Zm9v\"");
  CHECK(encoded("foobar") == "\"Zm9vYmFy\"");
  CHECK(encoded("\xff\xef\xbf") == "\"/++/\"");
}
