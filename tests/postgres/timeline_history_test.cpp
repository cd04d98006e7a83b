#include "connectors/postgres/timeline_history.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::postgres;

TEST_CASE("a timeline history is read line by line") {
  const auto history = parse_timeline_history(
      "1\t0/3000148\tno recovery target specified\n\n# a comment\n2\t1A/B0000000\tbefore 2024-01-01 00:00:00+00\n");
  REQUIRE(history);
  REQUIRE(history->size() == 2);
  CHECK((*history)[0].timeline == 1);
  CHECK((*history)[0].switch_point == Lsn{0x3000148});
  CHECK((*history)[1].timeline == 2);
  CHECK((*history)[1].switch_point == Lsn{0x1A'B0000000});
  CHECK(parse_timeline_history("")->empty());
}

TEST_CASE("a history that cannot be understood is an error") {
  for (const auto* text : {"1\n", "1\tnonsense\n", "x\t0/1\n", "1x\t0/1\n"}) {
    const auto history = parse_timeline_history(text);
    REQUIRE_FALSE(history);
    CHECK(history.error().code == "timeline_history_unreadable");
    CHECK(history.error().kind == ErrorKind::corrupt);
  }
}
