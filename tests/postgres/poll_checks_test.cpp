#include "connectors/postgres/poll_checks.h"

#include "connectors/postgres/poll_doctor.h"
#include "connectors/postgres/poll_query.h"
#include "tests/postgres/sql_facts.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

PollSourceConfig poll_config() {
  PollSourceConfig config;
  config.common = sql_config();
  return config;
}

TableFacts polled_table() {
  auto t = sql_table();
  t.columns.push_back({"relay_xid", "xid8", "pg_catalog", 5069, false, 0});
  t.columns.push_back({"relay_id", "bigint", "pg_catalog", 20, false, 0});
  return t;
}

PollFacts healthy() {
  PollFacts f;
  f.xid = {true, 8, "xid8", 0, "pg_current_xact_id()"};
  f.id = {true, 9, "bigint", 0, "nextval('public.outbox_relay_id_seq'::regclass)"};
  f.sequence = IdSequenceFacts{16391, "public", "outbox_relay_id_seq", 1, 1, 1, false, false, true, 40};
  f.sequence_is_the_default = f.id_index = true;
  f.reader.table_exists = f.reader.usable = true;
  return f;
}

Codes judged(const PollFacts& facts, const TableFacts& table = polled_table()) {
  return codes(poll_problems(poll_config(), sql_server(), table, facts));
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a table that is ready to be polled raises no problem") {
  CHECK(judged(healthy()).empty());
  CHECK(poll_table_problems(poll_config(), {{polled_table()}, {}}).empty());
  CHECK(poll_creation_problems(poll_config(), polled_table(), healthy()).empty());
}

TEST_CASE("polling asks neither for wal_level logical nor for REPLICATION") {
  auto server = sql_server();
  server.wal_level = "replica";
  server.may_replicate = false;
  CHECK(poll_server_problems(server).empty());
  server.in_recovery = true;
  REQUIRE(codes(poll_server_problems(server)) == Codes{"database_in_recovery"});
}

TEST_CASE("columns that are not there are refused with the statements that add them in order") {
  auto f = healthy();
  f.id = {};
  f.sequence.reset();
  const auto problems = poll_problems(poll_config(), sql_server(), polled_table(), f);
  REQUIRE(codes(problems) == Codes{"relay_columns_missing"});
  const auto& sql = problems[0].fix;
  REQUIRE(contains(sql, "ADD COLUMN \"relay_xid\" xid8"));
  CHECK(sql.find("ADD COLUMN \"relay_xid\" xid8") < sql.find("ADD COLUMN \"relay_id\" bigint"));
  CHECK_FALSE(contains(sql, "ADD COLUMN \"relay_id\" bigint DEFAULT"));  // would rewrite the table
}

TEST_CASE("whatever lets a row have its id before its transaction has one is refused") {
  auto f = healthy();
  f.xid.number = 10;
  CHECK(judged(f) == Codes{"relay_columns_order"});
  f = healthy();
  f.xid.fallback.clear();
  CHECK(judged(f) == Codes{"relay_xid_wrong"});
  f = healthy();
  f.xid.type = "xid";
  CHECK(judged(f) == Codes{"relay_xid_wrong"});
  f = healthy();
  f.sequence->cache = 5;
  CHECK(judged(f) == Codes{"sequence_cached"});
}

TEST_CASE("ids that do not come from one rising sequence are refused") {
  auto f = healthy();
  f.sequence_is_the_default = false;
  CHECK(judged(f) == Codes{"relay_id_wrong"});
  f = healthy();
  f.sequence.reset();
  CHECK(judged(f) == Codes{"relay_id_wrong"});
  f = healthy();
  f.sequence->increment = -1;
  CHECK(judged(f) == Codes{"sequence_unfit"});
  f = healthy();
  f.sequence->cycles = true;
  CHECK(judged(f) == Codes{"sequence_unfit"});
  f = healthy();
  f.sequence->unlogged = true;
  CHECK(judged(f) == Codes{"sequence_unfit"});
  f = healthy();
  f.subscribed = true;
  CHECK(judged(f) == Codes{"outbox_table_subscribed"});
}

TEST_CASE("missing rights, index and reader are refused with the statement that mends them") {
  auto f = healthy();
  f.id_index = false;
  f.sequence->may_select = false;
  f.reader = {};
  auto table = polled_table();
  table.may_select = false;
  table.row_security = true;
  const auto problems = poll_problems(poll_config(), sql_server(), table, f);
  CHECK(codes(problems) == Codes{"relay_id_index_missing", "select_privilege_missing", "select_privilege_missing",
                                 "row_security_hides_rows", "reader_table_missing"});
  for (const auto& problem : problems) CHECK_FALSE(problem.fix.empty());
  auto config = poll_config();
  config.common.create_tables = true;
  CHECK(poll_problems(config, sql_server(), table, f).size() == 4);
}

TEST_CASE("a pooler in between is refused, because the lock would lock nothing") {
  auto f = healthy();
  f.pooled = true;
  CHECK(judged(f) == Codes{"pooler_in_between"});
}

TEST_CASE("existing rows need a choice, and rows without an id a key") {
  auto config = poll_config();
  auto f = healthy();
  f.has_rows = true;
  config.common.snapshot = SnapshotMode::unset;
  CHECK(codes(poll_creation_problems(config, polled_table(), f)) == Codes{"snapshot_choice_required"});
  f.has_rows = false;
  CHECK(poll_creation_problems(config, polled_table(), f).empty());
  f.has_rows = f.rows_without_id = true;
  auto table = polled_table();
  table.key.clear();
  config.common.snapshot = SnapshotMode::initial;
  CHECK(codes(poll_creation_problems(config, table, f)) == Codes{"snapshot_no_unique_key"});
  f.rows_without_id = false;
  CHECK(poll_creation_problems(config, table, f).empty());
}

TEST_CASE("doctor says that ids which the application may write could be lost") {
  auto f = healthy();
  const auto has_note = [&] {
    const auto findings = poll_findings(poll_config(), polled_table(), f);
    return std::any_of(findings.begin(), findings.end(), [](const auto& x) { return x.code == "relay_id_writable"; });
  };
  CHECK(has_note());
  f.id.identity = 'a';
  CHECK_FALSE(has_note());
}

TEST_CASE("doctor names who holds delivery back, with the statement that ends it") {
  HoldingTransaction session{"", 4711, "app", "nightly", "shop", 40},
      prepared{"left behind", 0, "app", "", "shop", 7200};
  const auto findings = holder_findings({session, prepared});
  REQUIRE(findings.size() == 2);
  CHECK(contains(findings[0].message,
                 "process 4711 (role \"app\", application nightly, database \"shop\"), open for 40 s"));
  CHECK(contains(findings[0].fix, "pg_terminate_backend(4711)"));
  CHECK(findings[1].code == "prepared_transaction_open");
  CHECK(contains(findings[1].fix, "ROLLBACK PREPARED 'left behind'"));
  CHECK(holder_findings({})[0].severity == Severity::ok);
}

TEST_CASE("a page is a range of ids in their order") {
  const auto table = poll_table(poll_config(), polled_table());
  CHECK(page_query(table) ==
        "SELECT t.\"id\", t.\"aggregatetype\", t.\"aggregateid\", t.\"type\", t.\"payload\", t.\"relay_id\", "
        "t.\"relay_xid\" "
        "FROM \"public\".\"outbox\" t WHERE t.\"relay_id\" > $1::bigint AND t.\"relay_id\" <= $2::bigint ORDER BY "
        "t.\"relay_id\" LIMIT $3::bigint");
}

TEST_CASE("the relay's own columns are no headers unless they are named") {
  auto config = poll_config();
  config.common.header_columns = {"*"};
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& column : poll_table(config, polled_table()).columns) out.push_back(column.name);
    return out;
  };
  CHECK(names() ==
        std::vector<std::string>{"id", "aggregatetype", "aggregateid", "type", "payload", "created_at", "note"});
  config.common.header_columns = {"relay_id"};
  CHECK(names().back() == "relay_id");
}

TEST_CASE("rows without an id come in the order that is wanted, then of the key, and go on behind the last one") {
  auto config = poll_config();
  config.common.snapshot_order_by = {"created_at"};
  const auto table = poll_table(config, polled_table());
  CHECK(initial_rows_query(table, false).ends_with("WHERE t.\"relay_id\" IS NULL ORDER BY t.\"created_at\", t.\"id\""));
  CHECK(initial_rows_query(table, true)
            .ends_with("WHERE t.\"relay_id\" IS NULL AND (t.\"created_at\", t.\"id\") > ($1::timestamp with time zone, "
                       "$2::uuid) ORDER BY "
                       "t.\"created_at\", t.\"id\""));
}

TEST_CASE("hostile names are quoted in every statement") {
  auto config = poll_config();
  config.id_column = "re\"lay; DROP";
  auto facts = polled_table();
  facts.table.name = "Out \"box";
  const auto sql = page_query(poll_table(config, facts));
  CHECK(contains(sql, "\"public\".\"Out \"\"box\""));
  CHECK(contains(sql, "t.\"re\"\"lay; DROP\" >"));
  CHECK(contains(last_id_query("s\"", "q"), "\"s\"\"\".\"q\""));
}

TEST_CASE("the fingerprint of a polled table is none of a slot's, and the ids are named by their sequence") {
  CHECK(poll_fingerprint(poll_config()).starts_with("poll=\"public.outbox\";"));
  auto other = poll_config();
  other.id_column = "other_id";
  CHECK(poll_fingerprint(other) != poll_fingerprint(poll_config()));
  CHECK(id_source_name(poll_config(), polled_table(), *healthy().sequence) == "public.outbox.relay_id, sequence 16391");
}
