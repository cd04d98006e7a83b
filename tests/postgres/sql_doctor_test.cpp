#include "connectors/postgres/doctor_checks.h"
#include "connectors/postgres/server_questions_sql.h"
#include "connectors/postgres/trigger_checks.h"
#include "tests/postgres/sql_facts.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

const Finding* find(const Findings& findings, std::string_view code) {
  const auto at = std::find_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.code == code; });
  return at == findings.end() ? nullptr : &*at;
}

bool all_fine(const Findings& findings) {
  return std::all_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity == Severity::ok; });
}

SettingsFacts good_settings() {
  SettingsFacts s;
  s.max_replication_slots = s.max_wal_senders = 10;
  s.used_slots = s.used_wal_senders = 9;
  s.max_slot_wal_keep_bytes = std::int64_t{20} << 30;
  s.wal_sender_timeout_ms = 60'000;
  s.may_see_sessions = true;
  return s;
}

}  // namespace

TEST_CASE("doctor is content with good limits, and red when no slot or sender is left") {
  auto settings = good_settings();
  CHECK(all_fine(limit_findings(sql_config(), sql_server(), settings, false)));
  settings.used_slots = settings.used_wal_senders = 10;
  CHECK(all_fine(limit_findings(sql_config(), sql_server(), settings, true)));
  const auto findings = limit_findings(sql_config(), sql_server(), settings, false);
  const auto* slots = find(findings, "max_replication_slots_exhausted");
  REQUIRE(slots);
  CHECK(slots->severity == Severity::error);
  CHECK(slots->fix.find("ALTER SYSTEM SET max_replication_slots = '20';") == 0);
  CHECK(find(findings, "max_wal_senders_exhausted"));
}

TEST_CASE("doctor warns of a disk that nothing protects and of slots that end by themselves") {
  auto settings = good_settings();
  settings.max_slot_wal_keep_bytes = -1;
  settings.idle_slot_timeout_ms = 3'600'000;
  settings.wal_sender_timeout_ms = 0;
  auto findings = limit_findings(sql_config(), sql_server(), settings, true);
  REQUIRE(find(findings, "max_slot_wal_keep_size_unlimited"));
  CHECK(find(findings, "max_slot_wal_keep_size_unlimited")->severity == Severity::warning);
  REQUIRE(find(findings, "idle_replication_slot_timeout_set"));
  CHECK(find(findings, "idle_replication_slot_timeout_set")->message.find("60 min") != std::string::npos);
  CHECK(find(findings, "wal_sender_timeout_off"));
  settings.wal_sender_timeout_ms = 4'000;
  CHECK(find(limit_findings(sql_config(), sql_server(), settings, true), "wal_sender_timeout_short"));
}

TEST_CASE("doctor tells encryption, a Unix socket and a pooler apart") {
  ConnectionFacts c;
  c.server_address = "10.0.0.5:5432";
  CHECK(find(connection_findings(sql_server(), c), "tls_not_used")->severity == Severity::note);
  c.local = true;
  CHECK(all_fine(connection_findings(sql_server(), c)));
  c = {};
  c.tls = true;
  CHECK(all_fine(connection_findings(sql_server(), c)));
  c.pooled = true;
  c.server_address = "10.0.0.5:5432";
  const auto findings = connection_findings(sql_server(), c);
  REQUIRE(find(findings, "pooler_in_the_way"));
  CHECK(find(findings, "pooler_in_the_way")->fix.find("10.0.0.5:5432") != std::string::npos);
}

TEST_CASE("doctor is red when publishing makes the application's updates fail") {
  std::vector<TableFacts> tables{sql_table()};
  auto p = sql_publication();
  CHECK(all_fine(publication_findings(sql_config(), tables, p)));
  tables[0].table.replica_identity = false;
  auto findings = publication_findings(sql_config(), tables, p);
  REQUIRE(find(findings, "replica_identity_missing"));
  CHECK(find(findings, "replica_identity_missing")->severity == Severity::error);
  CHECK(find(findings, "replica_identity_missing")->fix ==
        "ALTER PUBLICATION \"outbox_relay\" SET (publish = 'insert, truncate');");
  p.updates = p.deletes = false;
  CHECK_FALSE(find(publication_findings(sql_config(), tables, p), "replica_identity_missing"));
}

TEST_CASE("doctor warns when moved rows of a partitioned table would come twice") {
  std::vector<TableFacts> tables{sql_table()};
  tables[0].table.partitioned = true;
  auto p = sql_publication();
  CHECK_FALSE(find(publication_findings(sql_config(), tables, p), "publication_row_moves"));
  p.deletes = false;
  CHECK(find(publication_findings(sql_config(), tables, p), "publication_row_moves"));
  p.via_root = true;
  CHECK_FALSE(find(publication_findings(sql_config(), tables, p), "publication_row_moves"));
}

TEST_CASE("doctor knows whether the relay may create the publication that it is told to create") {
  std::vector<TableFacts> tables{sql_table()};
  auto server = sql_server();
  CHECK(find(new_publication_findings(sql_config(), server, tables), "publication_create_privilege_missing"));
  server.may_create = true;
  const auto findings = new_publication_findings(sql_config(), server, tables);
  REQUIRE(find(findings, "publication_create_privilege_missing"));
  CHECK(findings[0].message.find("does not own public.outbox") != std::string::npos);
  CHECK(findings[0].fix == "CREATE PUBLICATION \"outbox_relay\" FOR TABLE \"public\".\"outbox\";");
  tables[0].owned = true;
  CHECK(find(new_publication_findings(sql_config(), server, tables), "publication_new")->severity == Severity::note);
}

TEST_CASE("doctor says when a slot is near its end") {
  auto slot = sql_slot();
  CHECK(all_fine(slot_findings(sql_config(), slot)));
  slot.retained_bytes = 11 << 20;
  slot.safe_wal_bytes = 9 << 20;
  CHECK(find(slot_findings(sql_config(), slot), "slot_limit_near")->severity == Severity::warning);
  slot.wal_status = "unreserved";
  CHECK(find(slot_findings(sql_config(), slot), "slot_about_to_be_lost")->severity == Severity::error);
}

TEST_CASE("doctor names who holds WAL back, with the statement that ends it") {
  const std::vector<OpenTransaction> open{{"", 4711, "shop", "app", "batch", 7'200},
                                          {"gid'1", 0, "shop", "app", "", 90}};
  const auto findings = transaction_findings(sql_server(), open, true);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == Severity::warning);
  CHECK(findings[0].fix.find("SELECT pg_terminate_backend(4711);") == 0);
  CHECK(findings[0].message.find("2 h") != std::string::npos);
  CHECK(findings[1].severity == Severity::note);
  CHECK(findings[1].fix.find("ROLLBACK PREPARED 'gid''1';") == 0);
  CHECK(find(transaction_findings(sql_server(), {}, false), "sessions_hidden"));
}

TEST_CASE("doctor asks for the store tables only when they are needed") {
  StoreFacts store;
  CHECK(store_findings(store, "relay", false, false).empty());
  auto findings = store_findings(store, "relay", false, true);
  CHECK(find(findings, "progress_table_missing")->severity == Severity::error);
  CHECK(find(findings, "dead_letter_table_missing")->fix == "psql -f sql/store_tables.sql");
  CHECK(find(store_findings(store, "relay", true, true), "progress_table_missing")->severity == Severity::note);
  store.progress = store.dead_letter = {true, true};
  CHECK(all_fine(store_findings(store, "relay", false, true)));
  store.progress.usable = false;
  CHECK(find(store_findings(store, "relay", false, true), "progress_table_privilege_missing"));
  store.publications = {"everything"};
  CHECK(find(store_findings(store, "relay", false, false), "store_tables_published"));
}

TEST_CASE("doctor says that a random key is no order") {
  const std::vector<TableFacts> tables{sql_table()};
  auto config = sql_config();
  CHECK(find(snapshot_findings(config, tables, {}), "snapshot_order_random"));
  config.snapshot_order_by = {"created_at"};
  const auto findings = snapshot_findings(config, tables, {});
  CHECK_FALSE(find(findings, "snapshot_order_random"));
  REQUIRE(find(findings, "snapshot_rows"));
  CHECK(find(findings, "snapshot_rows")->message == "about 1234 existing rows will be delivered first");
  config.snapshot = SnapshotMode::never;
  CHECK(find(snapshot_findings(config, tables, {&tables[0]}), "snapshot_never"));
}

TEST_CASE("sizes and times read as a person would say them") {
  CHECK(readable_bytes(0) == "0 B");
  CHECK(readable_bytes(1023) == "1023 B");
  CHECK(readable_bytes(std::int64_t{3} << 30) == "3.0 GiB");
  CHECK(readable_seconds(90) == "90 s");
  CHECK(readable_seconds(600) == "10 min");
  CHECK(readable_seconds(86'400) == "24 h");
  CHECK(readable_seconds(864'000) == "10 days");
}

TEST_CASE("the time until the slot's limit is told from the rate at which WAL is written") {
  SettingsFacts settings;
  settings.max_slot_wal_keep_bytes = std::int64_t{20} << 30;
  WalFacts wal;
  wal.bytes_per_second = 1 << 20;
  CHECK(all_fine(wal_findings(sql_config(), settings, wal)));
  wal.average = std::int64_t{10} << 20;
  wal.average_seconds = 86'400;
  const auto findings = wal_findings(sql_config(), settings, wal);
  REQUIRE(find(findings, "wal_limit_short"));
  CHECK(find(findings, "wal_limit_short")->message.find("is reached 34 min after") != std::string::npos);
  settings.max_slot_wal_keep_bytes = -1;
  CHECK(all_fine(wal_findings(sql_config(), settings, wal)));
}

TEST_CASE("a slot that is to follow a failover needs its standbys named") {
  SettingsFacts settings;
  auto slot = sql_slot();
  const auto findings = failover_findings(sql_config(), sql_server(), settings, &slot);
  CHECK(find(findings, "synchronized_standby_slots_unset"));
  CHECK(find(findings, "slot_failover_pending"));
  settings.synchronized_standby_slots = "standby_1";
  slot.failover = true;
  CHECK(all_fine(failover_findings(sql_config(), sql_server(), settings, &slot)));
}

TEST_CASE("a setting is changed in the way of whoever runs the server") {
  auto server = sql_server();
  CHECK(setting_fix(server, "max_slot_wal_keep_size", "20480", false) ==
        "ALTER SYSTEM SET max_slot_wal_keep_size = '20480'; SELECT pg_reload_conf();");
  CHECK(setting_fix(server, "max_wal_senders", "20", true) == "ALTER SYSTEM SET max_wal_senders = '20';   -- then restart PostgreSQL");
  server.vendor = Vendor::amazon_rds;
  CHECK(setting_fix(server, "a", "1", false).find("ParameterName=a,ParameterValue=1,ApplyMethod=immediate") != std::string::npos);
  server.vendor = Vendor::google_cloud_sql;
  CHECK(setting_fix(server, "a", "1", false).find("--database-flags=a=1") != std::string::npos);
  server.vendor = Vendor::azure;
  CHECK(setting_fix(server, "a", "1", true).find("--name a --value 1   # then: az postgres flexible-server restart") != std::string::npos);
}

TEST_CASE("a capture trigger that does not fire is a warning with the statement that enables it") {
  auto config = sql_config();
  config.outbox_tables = {"outbox_relay.*"};
  const auto findings = trigger_findings(config, {{"app", "Or\"ders", "outbox_relay_insert", false, true, false},
                                                  {"app", "items", "outbox_relay_update", true, true, false}});
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == Severity::warning);
  CHECK(findings[0].code == "capture_trigger_disabled");
  CHECK(findings[0].subject == "table app.Or\"ders");
  CHECK(findings[0].message.find("\"outbox_relay_insert\" on app.Or\"ders is disabled") != std::string::npos);
  CHECK(findings[0].fix == "ALTER TABLE \"app\".\"Or\"\"ders\" ENABLE TRIGGER \"outbox_relay_insert\";");
  CHECK(findings[1].message.find("ENABLE REPLICA") != std::string::npos);
}

TEST_CASE("a disabled capture trigger is no matter of a pipeline that would not deliver its events") {
  const std::vector<SilentTrigger> triggers{{"app", "orders", "outbox_relay_insert", false, true, false},
                                            {"app", "items", "outbox_relay_insert", false, false, true}};
  auto config = sql_config();
  CHECK(trigger_findings(config, triggers).empty());  // public.outbox
  config.messages = MessageSource{"outbox", false};
  REQUIRE(trigger_findings(config, triggers).size() == 1);
  CHECK(trigger_findings(config, triggers).front().subject == "table app.items");
}
