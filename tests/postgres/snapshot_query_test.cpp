#include "connectors/postgres/snapshot_reader_query.h"
#include "tests/postgres/sql_facts.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

SnapshotTable table_of(const SlotSourceConfig& config, const TableFacts& facts = sql_table()) {
  auto table = snapshot_table(config, facts, nullptr);
  REQUIRE(table);
  return *table;
}

}  // namespace

TEST_CASE("only the columns of events and of the order are read") {
  auto config = sql_config();
  CHECK(
      rows_query(table_of(config), false, false) ==
      "SELECT t.\"id\", t.\"aggregatetype\", t.\"aggregateid\", t.\"type\", t.\"payload\" FROM \"public\".\"outbox\" t "
      "ORDER BY t.\"id\"");
  config.snapshot_order_by = {"created_at"};
  const auto table = table_of(config);
  CHECK(table.columns.size() == 6);
  CHECK(table.order == std::vector<std::size_t>{5, 0});
  config.header_columns = {"*"};
  CHECK(table_of(config).columns.size() == 7);
}

TEST_CASE("the key ends the order, once") {
  auto config = sql_config();
  auto facts = sql_table();
  facts.key = {"created_at", "id"};
  facts.key_types = {"timestamp with time zone", "uuid"};
  config.snapshot_order_by = {"id"};
  const auto table = table_of(config, facts);
  CHECK(rows_query(table, false, false).ends_with("ORDER BY t.\"id\", t.\"created_at\""));
}

TEST_CASE("reading on compares with the types of the columns, behind what the snapshot showed") {
  auto config = sql_config();
  config.snapshot_order_by = {"created_at"};
  const auto sql = rows_query(table_of(config), true, true);
  CHECK(sql.find("pg_visible_in_snapshot(") != std::string::npos);
  CHECK(sql.find("(t.\"created_at\", t.\"id\") > ($3::timestamp with time zone, $4::uuid)") != std::string::npos);
  CHECK(rows_query(table_of(config), false, true).find("> ($1::timestamp with time zone, $2::uuid)") !=
        std::string::npos);
  CHECK(rows_query(table_of(config), true, false).find(" > (") == std::string::npos);
}

TEST_CASE("a table without an order that can be taken up again is not read") {
  auto facts = sql_table();
  facts.key.clear();
  CHECK(snapshot_table(sql_config(), facts, nullptr).error().code == "snapshot_no_unique_key");
  auto config = sql_config();
  config.snapshot_order_by = {"note"};
  CHECK(snapshot_table(config, sql_table(), nullptr).error().code == "snapshot_order_nullable");
}

TEST_CASE("operators are looked for where the types of the order are") {
  auto facts = sql_table();
  facts.columns[0].type_schema = "ext";
  const auto plain = table_of(sql_config());
  const auto odd = table_of(sql_config(), facts);
  CHECK(search_path_statement({plain}) == "SET search_path = pg_catalog");
  CHECK(search_path_statement({plain, odd, odd}) == "SET search_path = pg_catalog, \"ext\"");
  CHECK(lock_statement({plain, odd}) == "LOCK TABLE \"public\".\"outbox\", \"public\".\"outbox\" IN ACCESS SHARE MODE");
}

TEST_CASE("a slot's snapshot becomes one that the server reads back") {
  CHECK(readable_snapshot("10:20:10,14") == "10:20:10,14");
  CHECK(readable_snapshot("10:10:") == "10:10:");
  CHECK(readable_snapshot("1507857:1507855:") == "1507857:1507857:");
  for (const auto* text : {"", "10", "10:", "10:20", "a:20:", "10:b:", ":20:", "-1:20:"}) {
    CAPTURE(text);
    CHECK_FALSE(readable_snapshot(text));
    CHECK_FALSE(resume_horizon(text));
  }
}

TEST_CASE("transaction ids are their own 32 bits up to 2^32, and the horizon is counted from the snapshot's end") {
  CHECK(resume_horizon("10:20:10,14") == 20 + kResumeHorizon);
  CHECK_FALSE(may_be_ambiguous(20 + kResumeHorizon));
  CHECK_FALSE(may_be_ambiguous(0xFFFFFFFFull));
  CHECK(may_be_ambiguous(0x100000000ull));
}
