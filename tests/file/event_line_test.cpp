#include "connectors/file/event_line.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "relay/base/clock.h"

using namespace relay;
using relay::connectors::file::append_event_line;

namespace {

Event order_event() {
  Event event;
  event.sequence = 42;
  event.id = "0b6f";
  event.aggregate_type = "order";
  event.aggregate_id = "17";
  event.event_type = "order_placed";
  event.payload = R"({"total": 12.50})";
  event.commit_lsn = Lsn{0x16B3748};
  event.commit_time_us = 1'700'000'000'000'042;
  return event;
}

std::string line_of(const Event& event) {
  std::string out;
  append_event_line(event, out);
  return out;
}

}  // namespace

TEST_CASE("an event is one line with its fields in a fixed order") {
  auto event = order_event();
  const std::array<Header, 2> headers{Header{"tenant", "t1"}, Header{"region", {}}};
  event.headers = headers;
  CHECK(line_of(event) ==
        R"({"sequence":42,"id":"0b6f","aggregate_type":"order","aggregate_id":"17","event_type":"order_placed",)"
        R"("payload":{"total": 12.50},"headers":{"tenant":"t1","region":null},"commit_lsn":"0/16B3748",)"
        R"("committed_at":"2023-11-14T22:13:20.000042Z"})"
        "\n");
}

TEST_CASE(
    "a payload is embedded when it is JSON, quoted when it is text, encoded when it is neither, null when it is NULL") {
  auto event = order_event();
  const auto has = [&](std::string_view payload, std::string_view expected) {
    event.payload = payload;
    const auto line = line_of(event);
    CAPTURE(line);
    CHECK(line.find("," + std::string(expected) + ",\"headers\":{}") != std::string::npos);
    CHECK(line.find('\n') == line.size() - 1);
  };
  has("[1,\n 2]", R"("payload":[1, 2])");
  has("hello \"you\"", R"("payload":"hello \"you\"")");
  has("", R"("payload":"")");
  has("\xff\xfe", R"("payload_base64":"//4=")");
  has({}, R"("payload":null)");
}

TEST_CASE("what is not known of an event is null") {
  auto event = order_event();
  event.commit_lsn = {};
  event.commit_time_us = 0;
  event.event_type = {};
  const auto line = line_of(event);
  CHECK(line.find(R"("event_type":null)") != std::string::npos);
  CHECK(line.ends_with("\"commit_lsn\":null,\"committed_at\":null}\n"));
  event.commit_lsn = Lsn{131};
  event.place = PlaceKind::row_id;  // a row's id is no LSN
  CHECK(line_of(event).ends_with("\"commit_lsn\":null,\"committed_at\":null}\n"));
}

TEST_CASE("times before 1970 and far ahead are written right") {
  auto event = order_event();
  event.commit_time_us = -1;
  CHECK(line_of(event).ends_with("\"committed_at\":\"1969-12-31T23:59:59.999999Z\"}\n"));
  event.commit_time_us = 4'102'444'800'000'000;
  CHECK(line_of(event).ends_with("\"committed_at\":\"2100-01-01T00:00:00.000000Z\"}\n"));
}
