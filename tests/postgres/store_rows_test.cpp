#include <doctest/doctest.h>

#include "connectors/postgres/dead_letter_rows.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

Event event() {
  Event e;
  e.id = "i";
  e.aggregate_type = "";
  e.event_type = "NULL";
  e.payload = "p";
  e.source_table = "public.outbox";
  e.commit_lsn = Lsn{0x16B374D848};
  e.change_lsn = Lsn{1};
  e.ordinal = 2;
  e.sequence = 3;
  e.commit_time_us = 1'700'000'000'123'456;
  e.reject_code = "c";
  e.reject_reason = "it's";
  return e;
}

}  // namespace

TEST_CASE("dead letters become one array for each column, in the order of the statement") {
  DeadLetterRows rows;
  rows.add(event());
  auto second = event();
  second.ordinal = 4;
  second.from_snapshot = true;
  rows.add(second);
  CHECK(rows.count() == 2);
  const auto p = rows.take_parameters("orders");
  REQUIRE(p.size() == 16);
  CHECK(p[0] == "orders");
  CHECK(p[1] == "{\"16/B374D848\",\"16/B374D848\"}");
  CHECK(p[3] == "{\"2\",\"4\"}");
  CHECK(p[4] == "{\"3\",\"3\"}");
  CHECK(p[12] == "{\"f\",\"t\"}");
  CHECK(p[13] == "{\"1700000000123456\",\"1700000000123456\"}");
  CHECK(p[15] == "{\"it's\",\"it's\"}");
  CHECK(rows.count() == 0);
  CHECK(rows.bytes() == 0);
}

TEST_CASE("an event that a policy changed is stored as it was before, with the reason that it has now") {
  DeadLetterRows rows;
  const auto original = event();
  auto scrubbed = event();
  scrubbed.payload = {};
  scrubbed.id = "hashed";
  scrubbed.aggregate_id = {};
  scrubbed.reject_code = "policy_payload_not_json";
  scrubbed.unscrubbed = &original;
  rows.add(scrubbed);
  rows.add(original);
  const auto p = rows.take_parameters("orders");
  for (const int column : {5, 7, 9, 10}) {
    const auto& text = *p[static_cast<std::size_t>(column)];
    const auto half = text.size() / 2;
    CHECK(text.substr(1, half - 1) == text.substr(half + 1, half - 1));
  }
  CHECK(p[14]->find("policy_payload_not_json") != std::string::npos);
}

TEST_CASE("an absent value is NULL, an empty one and the word NULL are not") {
  DeadLetterRows rows;
  auto e = event();
  e.aggregate_id = {};
  e.commit_time_us = 0;
  rows.add(e);
  const auto p = rows.take_parameters("orders");
  CHECK(p[6] == "{\"\"}");
  CHECK(p[7] == "{NULL}");
  CHECK(p[8] == "{\"NULL\"}");
  CHECK(p[13] == "{NULL}");
}

TEST_CASE("a payload is stored byte for byte, and a tombstone stays one") {
  DeadLetterRows rows;
  auto e = event();
  e.payload = std::string_view("\0\xff\"\\", 4);
  rows.add(e);
  e.payload = {};
  rows.add(e);
  CHECK(rows.take_parameters("orders")[9] == "{\"\\\\x00ff225c\",NULL}");
}

TEST_CASE("quotes, backslashes and braces in values do not end an array") {
  DeadLetterRows rows;
  auto e = event();
  e.id = "a\"b\\c},{";
  rows.add(e);
  CHECK(rows.take_parameters("orders")[5] == "{\"a\\\"b\\\\c},{\"}");
}

TEST_CASE("headers keep their order and their nulls") {
  const Header headers[] = {{"z", "1"}, {"a", {}}, {"z", "\xff"}};
  CHECK(headers_json(headers) ==
        "[{\"name\":\"z\",\"value\":\"1\"},{\"name\":\"a\",\"value\":null},"
        "{\"name\":\"z\",\"value\":\"\xEF\xBF\xBD\"}]");
  CHECK(headers_json({}) == "[]");
}
