#include "connectors/postgres/changed_rows.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

Progress resumed() {
  Progress p;
  p.end_lsn = p.snapshot.consistent_point = Lsn{100};
  p.snapshot.resumed = 2;
  p.snapshot.resumed_at = Lsn{1000};
  return p;
}

}  // namespace

TEST_CASE("nothing is watched when the read was never resumed, or the window is passed") {
  ChangedRows rows;
  auto from = resumed();
  rows.begin_stream(from);
  CHECK(rows.watching());
  rows.begin(Lsn{1000});
  CHECK(rows.watching());
  rows.begin(Lsn{1001});
  CHECK_FALSE(rows.watching());
  from.end_lsn = Lsn{1000};
  rows.begin_stream(from);
  CHECK_FALSE(rows.watching());
  from = resumed();
  from.snapshot.resumed = 0;
  rows.begin_stream(from);
  CHECK_FALSE(rows.watching());
}

TEST_CASE("rows of another table with the same id are other rows") {
  ChangedRows rows;
  rows.begin_stream(resumed());
  rows.inserted("public.a", "1");
  rows.changed("public.b", "1");
  const auto refused = rows.commit(OnChangedRow::refuse, "orders", Logger());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::fatal);
  CHECK(refused.error().message.find("public.b") != std::string::npos);
}

TEST_CASE("a change whose key does not hold the id counts, and names no id") {
  ChangedRows rows;
  rows.begin_stream(resumed());
  rows.inserted("public.a", "");
  rows.changed("public.a", "");
  const auto refused = rows.commit(OnChangedRow::refuse, "orders", Logger());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("ids") == std::string::npos);
}

TEST_CASE("only the first few ids are named, all are counted") {
  ChangedRows rows;
  rows.begin_stream(resumed());
  for (int i = 0; i < 9; ++i) rows.changed("public.a", "row-" + std::to_string(i));
  const auto refused = rows.commit(OnChangedRow::refuse, "orders", Logger());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("9 existing rows") != std::string::npos);
  CHECK(refused.error().message.find("row-4, ...") != std::string::npos);
  CHECK(refused.error().message.find("row-5") == std::string::npos);
  CHECK(rows.commit(OnChangedRow::refuse, "orders", Logger()));  // each transaction is told once
}

TEST_CASE("memory is bounded: in a huge window, only recent inserts are known") {
  ChangedRows rows;
  rows.begin_stream(resumed());
  for (int i = 0; i < 1'000'001; ++i) rows.inserted("public.a", std::to_string(i));
  rows.changed("public.a", "1000000");
  rows.changed("public.a", "500000");
  CHECK(rows.commit(OnChangedRow::refuse, "orders", Logger()));
  rows.changed("public.a", "3");
  CHECK_FALSE(rows.commit(OnChangedRow::refuse, "orders", Logger()));
}
