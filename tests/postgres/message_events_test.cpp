#include "connectors/postgres/message_events.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>

using namespace relay::connectors::postgres;

namespace {

std::string shown(std::string_view text) { return text.data() ? std::string(text) : "NULL"; }

std::string shown(const MessageEvent& e) {
  std::string out = shown(e.id) + "|" + shown(e.aggregate_type) + "|" + shown(e.aggregate_id) + "|" + shown(e.event_type) +
                    "|" + shown(e.payload);
  for (const auto& h : e.headers) out += "|" + shown(h.name) + "=" + shown(h.value);
  if (!e.problem.empty()) out += "|!" + std::string(e.problem);
  return out;
}

std::vector<std::string> parsed(std::string_view content) {
  MessageEvents events;
  std::vector<std::string> out;
  for (const auto& e : events.parse(content)) out.push_back(shown(e));
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a message is one event, and a payload keeps its bytes") {
  CHECK(parsed(R"({"id":"0b6f","aggregate_type":"order","aggregate_id":17,"event_type":"placed","payload":{"total": 12.50, "n":1e400}})") ==
        Lines{R"(0b6f|order|17|placed|{"total": 12.50, "n":1e400})"});
  CHECK(parsed(R"( {"payload": 123456789012345678901234567890.000000000000000000001 } )") ==
        Lines{"NULL|NULL|NULL|NULL|123456789012345678901234567890.000000000000000000001"});
  CHECK(parsed(R"({"payload":[1, {"a":null}] , "id" : "x"})") == Lines{R"(x|NULL|NULL|NULL|[1, {"a":null}])"});
}

TEST_CASE("a message may carry many events") {
  CHECK(parsed(R"([{"id":"1","payload":{}},{"id":"2","payload":true}, {"id":"3","payload":"text \"é\" \u0000"}])") ==
        Lines{"1|NULL|NULL|NULL|{}", "2|NULL|NULL|NULL|true", std::string("3|NULL|NULL|NULL|text \"é\" ") + '\0'});
  CHECK(parsed("[]").empty());
}

TEST_CASE("null and missing are NULL, and an empty text is not") {
  CHECK(parsed(R"({"id":null,"aggregate_id":"","payload":null})") == Lines{"NULL|NULL||NULL|NULL"});
  CHECK(parsed("{}") == Lines{"NULL|NULL|NULL|NULL|NULL"});
  CHECK(parsed(R"({"payload":""})") == Lines{"NULL|NULL|NULL|NULL|"});
}

TEST_CASE("headers are text, whatever they are in the message") {
  CHECK(parsed(R"({"payload":1,"headers":{"tenant":"t1","n":5,"none":null,"deep":{"a":[1]}}})") ==
        Lines{R"(NULL|NULL|NULL|NULL|1|tenant=t1|n=5|none=NULL|deep={"a":[1]})"});
  CHECK(parsed(R"({"payload":1,"headers":null})") == Lines{"NULL|NULL|NULL|NULL|1"});
}

TEST_CASE("what is no event is told with its bytes, and the events beside it are whole") {
  const auto both = parsed(R"([{"id":"1","payload":1},{"id":"2","paylod":2},7,{"id":"4","payload":4}])");
  REQUIRE(both.size() == 4);
  CHECK(both[0] == "1|NULL|NULL|NULL|1");
  CHECK(both[1].starts_with(R"(NULL|NULL|NULL|NULL|{"id":"2","paylod":2}|!the event has a field that is none of)"));
  CHECK(both[2] == "NULL|NULL|NULL|NULL|7|!an event must be a JSON object");
  CHECK(both[3] == "4|NULL|NULL|NULL|4");
  CHECK(parsed(R"({"id":"1","id":"2","payload":1})").at(0).ends_with("|!the event has a field twice"));
  CHECK(parsed(R"({"id":{"a":1},"payload":1})").at(0).find("must be text or a number") != std::string::npos);
  CHECK(parsed(R"({"payload":1,"headers":[1]})").at(0).ends_with("|!headers must be an object"));
}

TEST_CASE("a message that is no JSON is one event with its bytes and its problem") {
  for (const std::string text :
       {"", "x", "{", "[{\"payload\":1}", "{\"payload\":1}}", "{\"payload\":1} 2", "[{\"payload\":1},]", "{\"payload\":01}",
        "{\"payload\":tru}", "{\"payload\":\"\\x\"}", "{\"payload\":{\"a\":nul}}", "{\"payload\":[1 2]}", "{\"payload\":\"\xff\"}",
        "{\"payload\":-}", "{\"payload\":1.}", "{\"payload\":1e}", "{payload:1}", "[{\"payload\":1}{\"payload\":2}]"}) {
    const auto all = parsed(text);
    CAPTURE(text);
    REQUIRE(all.size() == 1);
    CHECK(all[0].find("|!") != std::string::npos);
    CHECK(all[0].starts_with("NULL|NULL|NULL|NULL|" + text));
  }
}

TEST_CASE("mutated messages give events or problems, never worse") {
  const char* given = std::getenv("RELAY_SEED");
  const auto seed = given ? std::strtoull(given, nullptr, 10) : 42;
  INFO("replay with RELAY_SEED=" << seed);
  std::mt19937_64 random(seed);
  const std::string text =
      R"([{"id":"1","aggregate_type":"order","payload":{"a":[1,2.5e3,"x\n",null,true]},"headers":{"k":"v"}},{"id":"2","payload":"t"}])";
  MessageEvents events;
  std::size_t bytes = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto mutated = text;
    for (auto n = random() % 4 + 1; n; --n) mutated[random() % mutated.size()] = static_cast<char>(random());
    if (random() % 3 == 0) mutated.resize(random() % mutated.size());
    for (const auto& e : events.parse(mutated)) bytes += shown(e).size();
  }
  CHECK(bytes > 0);
}
