#include "relay/observe/log_lines.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

using namespace relay;
using namespace relay::observe;
using Json = nlohmann::json;

namespace {

constexpr std::int64_t kNoon = 1'740'830'400'123'456;  // 2025-03-01T12:00:00.123456Z

LogRecord record(std::string_view message, std::span<const LogField> fields = {},
                 std::span<const LogField> bound = {}) {
  return {LogLevel::warn, "sink_slow", message, bound, fields, kNoon};
}

}  // namespace

TEST_CASE("times are RFC 3339 in UTC with all their digits") {
  CHECK(timestamp(kNoon) == "2025-03-01T12:00:00.123456Z");
  CHECK(timestamp(kNoon, true) == "2025-03-01T12:00:00.123Z");
  CHECK(timestamp(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(timestamp(-1) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a JSON line holds time, level, event, message and the fields with their types") {
  const std::vector<LogField> bound{{"pipeline", std::string("orders")}};
  const std::vector<LogField> fields{{"events", std::uint64_t{18446744073709551615u}},
                                     {"delta", std::int64_t{-5}},
                                     {"rate", 0.5},
                                     {"caught_up", true},
                                     {"nan", std::numeric_limits<double>::quiet_NaN()}};
  CHECK(json_line(record("The sink is slow.", fields, bound)) ==
        R"({"ts":"2025-03-01T12:00:00.123456Z","level":"warn","event":"sink_slow","message":"The sink is slow.",)"
        R"("pipeline":"orders","events":18446744073709551615,"delta":-5,"rate":0.5,"caught_up":true,"nan":null})");
}

TEST_CASE("a JSON line is one line of valid JSON whatever the texts hold") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2'000; ++i) {
    std::string text(random() % 20, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    const std::vector<LogField> fields{{"x" + text, text}};
    const auto line = json_line(record(text, fields));
    REQUIRE(line.find('\n') == std::string::npos);
    REQUIRE_NOTHROW(Json::parse(line));
  }
}

TEST_CASE("JSON keeps what is text and replaces what is not") {
  const auto line = Json::parse(json_line(record("a\"b\\c\n\t\x01 \xC3\xA4 \xF0\x9F\x90\x98 \xFF \xED\xA0\x80")));
  CHECK(line["message"] ==
        "a\"b\\c\n\t\x01 \xC3\xA4 \xF0\x9F\x90\x98 \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("a field never hides one of the fixed ones, and wins over a bound one of its name") {
  const std::vector<LogField> bound{{"slot", std::string("a")}};
  const std::vector<LogField> fields{{"level", std::string("9")}, {"slot", std::string("b")}, {"hint", std::string()}};
  const auto line = Json::parse(json_line(record("m", fields, bound)));
  CHECK(line["level"] == "warn");
  CHECK(line["level_"] == "9");
  CHECK(line["slot"] == "b");
  CHECK_FALSE(line.contains("hint"));
}

TEST_CASE("a text line is for people: time, level, message, fields, and the hint below") {
  const std::vector<LogField> bound{{"pipeline", std::string("orders")}};
  const std::vector<LogField> fields{
      {"events", std::uint64_t{5}}, {"target", std::string("a b")}, {"hint", std::string("run this:\nSELECT 1;")}};
  CHECK(text_line(record("The sink is slow.", fields, bound), false) ==
        "2025-03-01T12:00:00.123Z WARN  The sink is slow. pipeline=orders events=5 target=\"a b\" event=sink_slow\n"
        "  hint: run this:\n"
        "        SELECT 1;");
}

TEST_CASE("a text line has colours only when asked") {
  CHECK(text_line(record("m"), false).find('\033') == std::string::npos);
  CHECK(text_line(record("m"), true).find("\033[33mWARN\033[m") != std::string::npos);
}

TEST_CASE("foreign text can neither begin a new text line nor steer the terminal") {
  const std::vector<LogField> fields{{"table", std::string("x\n2025 ERROR y")}, {"hint", std::string("\033[2J")}};
  const auto line = text_line(record("bad \033[31m\r name \xC2\x9B", fields), false);
  CHECK(line.find('\033') == std::string::npos);
  CHECK(line.find('\r') == std::string::npos);
  CHECK(line.find("\nERROR") == std::string::npos);
  CHECK(line.find("table=\"x\\n2025 ERROR y\"") != std::string::npos);
  CHECK(line.find("\\x9b") != std::string::npos);
}
