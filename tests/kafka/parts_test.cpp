// The small pure parts: topic names, tokens, times, watched files, repeated log lines.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "connectors/kafka/file_watch.h"
#include "connectors/kafka/log_throttle.h"
#include "connectors/kafka/oidc_base64.h"
#include "connectors/kafka/oidc_token.h"
#include "connectors/kafka/record_headers.h"
#include "connectors/kafka/topic_name.h"

using namespace relay;
using namespace relay::connectors::kafka;

TEST_CASE("topic names are what Kafka accepts") {
  CHECK(is_legal_topic("outbox.event.order_1-a"));
  CHECK(is_legal_topic(std::string(249, 'a')));
  for (const std::string name : {"", ".", "..", "a b", "a/b", "straße", "a\n"}) CHECK_FALSE(is_legal_topic(name));
  CHECK_FALSE(is_legal_topic(std::string(250, 'a')));
}

TEST_CASE("a JSON web token's own expiry and subject are used") {
  // {"sub":"relay","exp":2000}
  const auto token = parse_token_answer(R"({"access_token":"aa.eyJzdWIiOiJyZWxheSIsImV4cCI6MjAwMH0.bb","expires_in":5})", 1'000);
  REQUIRE(token);
  CHECK(token->expires_at_ms == 2'000'000);
  CHECK(token->principal == "relay");
}

TEST_CASE("an opaque token lives as long as the answer says") {
  const auto token = parse_token_answer(R"({"access_token":"opaque","expires_in":60})", 1'000);
  REQUIRE(token);
  CHECK(token->expires_at_ms == 61'000);
  CHECK(token->value.reveal() == "opaque");
}

TEST_CASE("a useless token answer is an error that does not show it") {
  for (const std::string answer : {"", "[]", "{}", R"({"access_token":5})", R"({"access_token":"tell-nobody"})",
                                   R"({"access_token":"tell-nobody","expires_in":0})"}) {
    const auto token = parse_token_answer(answer, 1'000);
    REQUIRE_FALSE(token);
    CHECK(token.error().text().find("tell-nobody") == std::string::npos);
  }
}

TEST_CASE("only something in three parts of base64url is a JSON web token") {
  CHECK(jwt_payload("a.e30.b") == "{}");
  CHECK(jwt_payload("e30").empty());
  CHECK(jwt_payload("a.e!0.b").empty());
}

TEST_CASE("times are UTC with microseconds") {
  CHECK(format_utc(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(format_utc(1'700'000'000'123'456) == "2023-11-14T22:13:20.123456Z");
  CHECK(format_utc(-1) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a watched file counts as changed when its content did, once, and not before the interval") {
  const auto path = (std::filesystem::temp_directory_path() / ("relay-watch-" + std::to_string(getpid()))).string();
  const auto write = [&](const char* text) { std::ofstream(path) << text; };
  write("one");
  SteadyTime now{};
  FileWatch watch({path}, now);
  write("another");
  CHECK_FALSE(watch.changed(now));
  now += FileWatch::kInterval;
  CHECK(watch.changed(now));
  now += FileWatch::kInterval;
  CHECK_FALSE(watch.changed(now));
  std::filesystem::remove(path);
  now += FileWatch::kInterval;
  CHECK_FALSE(watch.changed(now));
  write("another");  // written again with the same content
  now += FileWatch::kInterval;
  CHECK_FALSE(watch.changed(now));
  std::filesystem::remove(path);
}

TEST_CASE("a repeated warning is let through again after the quiet time") {
  LogThrottle throttle;
  std::chrono::steady_clock::time_point now{};
  CHECK(throttle.lets_through("FAIL", now));
  CHECK_FALSE(throttle.lets_through("FAIL", now));
  CHECK(throttle.lets_through("GETPID", now));
  CHECK(throttle.lets_through("FAIL", now + LogThrottle::kQuiet));
}

TEST_CASE("headers come in the order of the configuration, then the row's own columns") {
  Event e;
  e.id = "e-1";
  e.sequence = 7;
  e.commit_lsn = Lsn{0x16B374D848};
  e.commit_time_us = 0;
  e.xid = 5;
  const Header columns[] = {{"tenant", "t1"}, {"trace", {}}};
  e.headers = columns;
  RecordHeaders headers({{"id", HeaderValue::text, Template::parse("{id}", "p").value},
                         {"type", HeaderValue::text, Template::parse("{event_type}", "p").value},
                         {"sequence", HeaderValue::sequence, {}},
                         {"commit_lsn", HeaderValue::commit_lsn, {}},
                         {"committed_at", HeaderValue::committed_at, {}},
                         {"transaction_id", HeaderValue::transaction_id, {}},
                         {"origin", HeaderValue::text, Template::parse("shop/{id}", "p").value}});
  const auto list = headers.of(e);
  std::string seen;
  for (std::size_t i = 0; i < rd_kafka_header_cnt(list.get()); ++i) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    REQUIRE(rd_kafka_header_get_all(list.get(), i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR);
    seen += std::string(name) + "=" + (value ? std::string(static_cast<const char*>(value), size) : "NULL") + ";";
  }
  CHECK(seen ==
        "id=e-1;type=NULL;sequence=7;commit_lsn=16/B374D848;committed_at=1970-01-01T00:00:00.000000Z;transaction_id=5;"
        "origin=shop/e-1;tenant=t1;trace=NULL;");
}

TEST_CASE("no headers are no list of headers") {
  RecordHeaders headers({});
  CHECK_FALSE(headers.of(Event{}));
}
