#include "tests/postgres/sql_facts.h"

using namespace relay;
using namespace relay::connectors::postgres;

TEST_CASE("a healthy database raises no problem") {
  const auto config = sql_config();
  const auto publication = sql_publication();
  const TablesFacts tables{{sql_table()}, {}};
  CHECK(version_problems(config, 130000).empty());
  CHECK(server_problems(sql_server()).empty());
  CHECK(table_problems(config, tables, &publication).empty());
  CHECK(publication_problems(config, tables.tables, &publication, true).empty());
  CHECK(slot_problems(config, sql_server(), sql_slot()).empty());
  CHECK(creation_problems(config, sql_server(), tables.tables, {}).empty());
}

TEST_CASE("a server before 13 is refused with its version") {
  const auto problems = version_problems(sql_config(), 120022);
  REQUIRE(codes(problems) == Codes{"version_unsupported"});
  CHECK(problems[0].message.find("PostgreSQL 12") != std::string::npos);
}

TEST_CASE("messages need a server that sends them") {
  auto config = sql_config();
  config.messages = MessageSource{"outbox", false};
  CHECK(codes(version_problems(config, 130000)) == Codes{"messages_unsupported"});
  CHECK(version_problems(config, 140000).empty());
}

TEST_CASE("a slot that is to follow a failover needs a server that synchronises slots") {
  auto config = sql_config();
  config.failover = true;
  CHECK(codes(version_problems(config, 160000)) == Codes{"failover_unsupported"});
  CHECK(version_problems(config, 170000).empty());
  CHECK(slot_sql(config) == "SELECT pg_create_logical_replication_slot('outbox_relay_orders', 'pgoutput', failover => true);");
}

TEST_CASE("a standby is a reason to wait, not to stop") {
  auto server = sql_server();
  server.in_recovery = true;
  const auto problems = server_problems(server);
  REQUIRE(codes(problems) == Codes{"database_in_recovery"});
  CHECK(problems[0].kind == ErrorKind::transient);
}

TEST_CASE("wal_level and role are refused with the statement of the vendor that runs the server") {
  auto server = sql_server();
  server.wal_level = "replica";
  server.may_replicate = false;
  server.role = "Re\"lay";
  auto problems = server_problems(server);
  REQUIRE(codes(problems) == Codes{"wal_level_not_logical", "role_without_replication"});
  CHECK(problems[0].fix == "ALTER SYSTEM SET wal_level = 'logical';   -- then restart PostgreSQL");
  CHECK(problems[1].fix == "ALTER ROLE \"Re\"\"lay\" REPLICATION;");
  server.vendor = Vendor::amazon_rds;
  problems = server_problems(server);
  CHECK(problems[0].fix.find("rds.logical_replication") != std::string::npos);
  CHECK(problems[1].fix == "GRANT rds_replication TO \"Re\"\"lay\";");
  server.vendor = Vendor::google_cloud_sql;
  CHECK(server_problems(server)[0].fix.find("cloudsql.logical_decoding=on") != std::string::npos);
  server.vendor = Vendor::azure;
  CHECK(server_problems(server)[0].fix.find("flexible-server parameter set") != std::string::npos);
}

TEST_CASE("a table that is not there is refused with the statement that makes it") {
  const auto problems = table_problems(sql_config(), {}, nullptr);
  REQUIRE(codes(problems) == Codes{"outbox_table_missing"});
  CHECK(problems[0].fix ==
        "CREATE TABLE \"public\".\"outbox\" (\"id\" uuid PRIMARY KEY DEFAULT gen_random_uuid(), \"aggregatetype\" text "
        "NOT "
        "NULL, \"aggregateid\" text NOT NULL, \"type\" text NOT NULL, \"payload\" jsonb);");
}

TEST_CASE("a view, a partition and a pattern without a table say what they are") {
  auto config = sql_config();
  config.outbox_tables = {"public.v", "public.part_1", "tenant_*.outbox"};
  const TablesFacts facts{{}, {{"public.v", "is a view"}, {"public.part_1", "is a partition or child of public.part"}}};
  const auto problems = table_problems(config, facts, nullptr);
  REQUIRE(codes(problems) == Codes{"outbox_table_missing", "outbox_table_missing", "outbox_table_missing"});
  CHECK(problems[0].message.find("is a view") != std::string::npos);
  CHECK(problems[1].message.find("child of public.part") != std::string::npos);
  CHECK(problems[2].message.find("no table of this database matches") != std::string::npos);
}

TEST_CASE("every role and header column must be there, and be one that is published") {
  auto config = sql_config();
  config.columns.event_type = "kind";
  config.columns.aggregate_type = "";
  config.header_columns = {"tenant", "created_at", "*"};
  TablesFacts facts{{sql_table()}, {}};
  CHECK(codes(table_problems(config, facts, nullptr)) == Codes{"outbox_column_missing", "outbox_column_missing"});
  config = sql_config();
  facts.tables[0].columns[4].generated = 's';
  const auto problems = table_problems(config, facts, nullptr);
  REQUIRE(codes(problems) == Codes{"outbox_column_missing"});
  CHECK(problems[0].message.find("generated column") != std::string::npos);
  auto publication = sql_publication();
  publication.generated_columns = true;
  CHECK(table_problems(config, facts, &publication).empty());
  facts.tables[0].columns[4].generated = 'v';
  CHECK(codes(table_problems(config, facts, &publication)) == Codes{"outbox_column_missing"});
}

TEST_CASE("an unlogged table is refused") {
  TablesFacts facts{{sql_table()}, {}};
  facts.tables[0].unlogged = true;
  const auto problems = table_problems(sql_config(), facts, nullptr);
  REQUIRE(codes(problems) == Codes{"outbox_table_unlogged"});
  CHECK(problems[0].fix == "ALTER TABLE \"public\".\"outbox\" SET LOGGED;");
}

TEST_CASE("a missing publication after the slot is another matter than one before it") {
  const std::vector<TableFacts> tables{sql_table()};
  const auto before = publication_problems(sql_config(), tables, nullptr, false);
  const auto after = publication_problems(sql_config(), tables, nullptr, true);
  REQUIRE(codes(before) == Codes{"publication_missing"});
  REQUIRE(codes(after) == Codes{"publication_missing"});
  CHECK(before[0].fix == "CREATE PUBLICATION \"outbox_relay\" FOR TABLE \"public\".\"outbox\";");
  CHECK(after[0].advice.find("progress reset") != std::string::npos);
}

TEST_CASE("a publication must publish inserts of every table, whole") {
  const auto config = sql_config();
  std::vector<TableFacts> tables{sql_table()};
  auto p = sql_publication();
  p.inserts = false;
  CHECK(codes(publication_problems(config, tables, &p, true)) == Codes{"publication_without_insert"});
  p = sql_publication();
  p.tables.clear();
  const auto missing = publication_problems(config, tables, &p, true);
  REQUIRE(codes(missing) == Codes{"publication_table_missing"});
  CHECK(missing[0].fix == "ALTER PUBLICATION \"outbox_relay\" ADD TABLE \"public\".\"outbox\";");
  p = sql_publication();
  p.filtered = {100};
  CHECK(codes(publication_problems(config, tables, &p, true)) == Codes{"publication_row_filter"});
  p = sql_publication();
  p.column_lists[100] = {"id", "aggregatetype", "aggregateid", "type"};
  const auto list = publication_problems(config, tables, &p, true);
  REQUIRE(codes(list) == Codes{"publication_column_list"});
  CHECK(list[0].message.find("\"payload\"") != std::string::npos);
  p.column_lists[100].insert("payload");
  CHECK(publication_problems(config, tables, &p, true).empty());
  auto all_headers = config;
  all_headers.header_columns = {"*"};
  CHECK(codes(publication_problems(all_headers, tables, &p, true)) == Codes{"publication_column_list"});
}

TEST_CASE("a partitioned table is published by its root, its schema, or all its partitions") {
  auto table = sql_table();
  table.table.partitioned = true;
  table.table.leaf_oids = {101, 102};
  PublicationFacts p;
  CHECK_FALSE(is_published(p, table));
  p.tables = {101};
  CHECK_FALSE(is_published(p, table));
  p.tables = {101, 102};
  CHECK(is_published(p, table));
  p.tables = {100};
  CHECK(is_published(p, table));
  p.tables.clear();
  p.schemas = {"public"};
  CHECK(is_published(p, table));
  p.schemas.clear();
  p.all_tables = true;
  CHECK(is_published(p, table));
}

TEST_CASE("a slot that is not ours to read is refused by what it is") {
  const auto refused = [](auto spoil) {
    auto slot = sql_slot();
    spoil(slot);
    return codes(slot_problems(sql_config(), sql_server(), slot));
  };
  CHECK(refused([](SlotFacts& s) { s.type = "physical"; }) == Codes{"slot_physical"});
  CHECK(refused([](SlotFacts& s) { s.plugin = "wal2json"; }) == Codes{"slot_wrong_plugin"});
  CHECK(refused([](SlotFacts& s) { s.database = "other"; }) == Codes{"slot_wrong_database"});
  CHECK(refused([](SlotFacts& s) { s.two_phase = true; }) == Codes{"slot_two_phase"});
  CHECK(refused([](SlotFacts& s) { s.wal_status = "lost"; }) == Codes{"slot_lost"});
  CHECK(refused([](SlotFacts& s) { s.invalidation = "idle_timeout"; }) == Codes{"slot_lost"});
}

TEST_CASE("a slot is created only when asked for, and existing rows never go by without a decision") {
  auto config = sql_config();
  const std::vector<TableFacts> tables{sql_table()};
  config.create_slot = false;
  auto problems = creation_problems(config, sql_server(), tables, {});
  REQUIRE(codes(problems) == Codes{"slot_missing"});
  CHECK(problems[0].fix.find("SELECT pg_create_logical_replication_slot('outbox_relay_orders', 'pgoutput');") == 0);
  config = sql_config();
  config.snapshot = SnapshotMode::unset;
  CHECK(creation_problems(config, sql_server(), tables, {}).empty());
  problems = creation_problems(config, sql_server(), tables, {&tables[0]});
  REQUIRE(codes(problems) == Codes{"snapshot_choice_required"});
  CHECK(problems[0].message.find("public.outbox (about 1234)") != std::string::npos);
}

TEST_CASE("an initial read that could lose rows or its place is refused") {
  const auto refused = [](auto spoil, SnapshotMode mode = SnapshotMode::initial) {
    auto config = sql_config();
    config.snapshot = mode;
    std::vector<TableFacts> tables{sql_table()};
    spoil(config, tables[0]);
    return codes(creation_problems(config, sql_server(), tables, {}));
  };
  const auto no_select = [](auto&, TableFacts& t) { t.may_select = false; };
  CHECK(refused(no_select) == Codes{"select_privilege_missing"});
  CHECK(refused(no_select, SnapshotMode::never).empty());
  CHECK(refused([](auto&, TableFacts& t) { t.row_security = true; }) == Codes{"row_security_hides_rows"});
  CHECK(refused([](auto&, TableFacts& t) { t.key.clear(); }) == Codes{"snapshot_no_unique_key"});
  CHECK(refused([](SlotSourceConfig& c, auto&) { c.snapshot_order_by = {"note"}; }) ==
        Codes{"snapshot_order_nullable"});
  CHECK(refused([](SlotSourceConfig& c, auto&) { c.snapshot_order_by = {"nope"}; }) ==
        Codes{"snapshot_order_column_missing"});
  CHECK(refused([](SlotSourceConfig& c, auto&) { c.snapshot_order_by = {"created_at"}; }).empty());
}

TEST_CASE("a business table that could not be captured rightly is refused, with the statement that mends it") {
  const auto refused = [](auto spoil) {
    auto config = sql_config();
    config.outbox_tables.clear();
    TableCapture capture;
    capture.table = "public.outbox";
    capture.events = {{Operation::insert, "placed", {}, std::nullopt}, {Operation::update, "changed", {}, std::nullopt}};
    config.tables = {capture};
    TablesFacts facts{{sql_table()}, {}};
    facts.tables[0].identity_columns = {"id"};
    auto publication = sql_publication();
    spoil(config.tables[0], facts.tables[0], publication);
    auto problems = table_problems(config, facts, &publication);
    for (auto& p : publication_problems(config, facts.tables, &publication, true)) problems.push_back(std::move(p));
    return codes(problems);
  };
  using C = TableCapture&;
  using T = TableFacts&;
  using P = PublicationFacts&;
  CHECK(refused([](C, T, P) {}).empty());
  CHECK(refused([](C c, T, P) { c.columns = {"nope"}; }) == Codes{"table_column_missing"});
  CHECK(refused([](C c, T t, P) { c.columns = {"note"}, t.columns.back().generated = 's'; }) == Codes{"table_column_missing"});
  CHECK(refused([](C c, T t, P p) { c.columns = {"note"}, t.columns.back().generated = 's', p.generated_columns = true; }).empty());
  CHECK(refused([](C, T t, P) { t.key.clear(); }) == Codes{"aggregate_id_missing"});
  CHECK(refused([](C, T t, P) { t.table.replica_identity = false; }) == Codes{"replica_identity_missing"});
  CHECK(refused([](C, T t, P) { t.identity_mixed = true; }) == Codes{"replica_identity_mixed"});
  CHECK(refused([](C c, T, P) { c.aggregate_id = {"note"}; }) == Codes{"replica_identity_insufficient"});
  CHECK(refused([](C c, T t, P) { c.aggregate_id = {"note"}, t.identity_full = true; }).empty());
  CHECK(refused([](C c, T, P) { c.events[1].of = {"note"}; }) == Codes{"replica_identity_insufficient"});
  CHECK(refused([](C c, T, P) { c.events.pop_back(), c.aggregate_id = {"note"}; }).empty());
  CHECK(refused([](C, T t, P) { t.unlogged = true; }) == Codes{"table_unlogged"});
  CHECK(refused([](C, T, P p) { p.updates = false; }) == Codes{"publication_operation_missing"});
  CHECK(refused([](C, T, P p) { p.tables.clear(); }) == Codes{"publication_table_missing"});
  CHECK(refused([](C c, T, P p) { c.columns = {"note"}, p.column_lists[100] = {"id"}; }) == Codes{"publication_column_list"});
}

TEST_CASE("a publication that makes the application's updates fail is known for what it is") {
  auto table = sql_table();
  table.identity_columns = {"id"};
  auto publication = sql_publication();
  CHECK(why_updates_fail(&publication, table).empty());
  publication.column_lists[100] = {"id", "note"};
  CHECK(why_updates_fail(&publication, table).empty());
  publication.column_lists[100] = {"note"};
  CHECK(why_updates_fail(&publication, table).find("leaves out \"id\"") != std::string::npos);
  table.identity_full = true;
  CHECK(why_updates_fail(&publication, table).find("has a column list") != std::string::npos);
  publication.column_lists.clear();
  CHECK(why_updates_fail(&publication, table).empty());
  table.columns.back().generated = 's';
  CHECK_MESSAGE(why_updates_fail(&publication, table).empty(), "before 18");
  table.full_needs_generated = true;
  CHECK(why_updates_fail(&publication, table).find("generated column") != std::string::npos);
  CHECK_FALSE(why_updates_fail(nullptr, table).empty());
  publication.generated_columns = true;
  CHECK(why_updates_fail(&publication, table).empty());
}

TEST_CASE("a new publication is refused when one captured table would break the updates of another") {
  auto config = sql_config();
  const std::vector<TableFacts> tables{sql_table(), [] {
    auto log = sql_table("public", "log", 200);
    log.table.replica_identity = false;
    return log;
  }()};
  config.outbox_tables = {"public.log"};
  CHECK(new_publication_problems(config, tables).empty());
  TableCapture capture;
  capture.table = "public.outbox";
  capture.events = {{Operation::update, "changed", {}, std::nullopt}};
  config.tables = {capture};
  const auto problems = new_publication_problems(config, tables);
  REQUIRE(codes(problems) == Codes{"publication_breaks_updates"});
  CHECK(problems[0].subject == "table public.log");
}

TEST_CASE("a table that somebody makes later and that only a pattern names stops nothing") {
  auto config = sql_config();
  config.outbox_tables = {"public.outbox*"};
  auto publication = sql_publication();
  publication.tables.clear();
  const std::vector<TableFacts> tables{sql_table()};
  CHECK(codes(publication_problems(config, tables, &publication, false)) == Codes{"publication_table_missing"});
  CHECK(publication_problems(config, tables, &publication, true).empty());
  CHECK(unpublished_matches(config, tables, publication).size() == 1);
}

TEST_CASE("a problem is one hint for run and one fix for doctor") {
  const Problem problem{ErrorKind::fatal, "code", "table a.b", "it is so", "do this", "SQL;"};
  const auto error = problem.error();
  CHECK(error.kind == ErrorKind::fatal);
  CHECK(error.message == "checking the database: it is so");
  CHECK(error.hint == "do this: SQL;");
  const auto finding = problem.finding();
  CHECK(finding.severity == Severity::error);
  CHECK(finding.code == "code");
  CHECK(finding.fix == "SQL;");
}
