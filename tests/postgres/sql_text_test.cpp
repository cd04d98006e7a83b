#include "connectors/postgres/server_questions_sql.h"
#include "connectors/postgres/sql_session.h"
#include "sql/embedded.h"
#include "tests/postgres/sql_facts.h"

using namespace relay;
using namespace relay::connectors::postgres;

TEST_CASE("identifiers and constants are quoted whatever is in them") {
  CHECK(quote_identifier("order") == "\"order\"");
  CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
  CHECK(quote_literal("it's") == "'it''s'");
  CHECK(quote_literal("a\\'b") == "E'a\\\\''b'");
  CHECK(quote_table("Odd \"S", "t.x") == "\"Odd \"\"S\".\"t.x\"");
  CHECK(array_literal({}) == "{}");
  CHECK(array_literal({"a", "b,c", "d\"e\\", ""}) == "{\"a\",\"b,c\",\"d\\\"e\\\\\",\"\"}");
}

TEST_CASE("a publication never makes the application's updates fail") {
  auto plain = sql_table();
  auto without_identity = sql_table("public", "log", 200);
  without_identity.table.replica_identity = false;
  CHECK(publication_sql(sql_config(), {plain}) ==
        "CREATE PUBLICATION \"outbox_relay\" FOR TABLE \"public\".\"outbox\";");
  CHECK(publication_sql(sql_config(), {plain, without_identity}) ==
        "CREATE PUBLICATION \"outbox_relay\" FOR TABLE \"public\".\"outbox\", \"public\".\"log\" WITH (publish = "
        "'insert, "
        "truncate');");
  auto generated = sql_table("public", "log", 200);
  generated.identity_full = generated.full_needs_generated = true;
  generated.columns.back().generated = 's';
  CHECK(publication_sql(sql_config(), {generated}).find("publish = 'insert, truncate'") != std::string::npos);
  plain.table.partitioned = true;
  CHECK(
      publication_sql(sql_config(), {plain}) ==
      "CREATE PUBLICATION \"outbox_relay\" FOR TABLE \"public\".\"outbox\" WITH (publish_via_partition_root = true);");
}

TEST_CASE("the fingerprint changes with what shapes the stream, and with nothing else") {
  const auto base = stream_fingerprint(sql_config());
  const auto changed = [&](auto change) {
    auto config = sql_config();
    change(config);
    return stream_fingerprint(config) != base;
  };
  CHECK(changed([](auto& c) { c.publication = "p"; }));
  CHECK(changed([](auto& c) { c.outbox_tables.push_back("a.b"); }));
  CHECK(changed([](auto& c) { c.columns.payload = "body"; }));
  CHECK(changed([](auto& c) { c.header_columns = {"x"}; }));
  CHECK(changed([](auto& c) { c.null_payload_is_tombstone = true; }));
  CHECK(changed([](auto& c) { c.snapshot_order_by = {"created_at"}; }));
  CHECK_FALSE(changed([](auto& c) { c.connection.application_name = "x"; }));
  CHECK_FALSE(changed([](auto& c) { c.create_slot = false; }));
  auto two = sql_config(), reversed = sql_config();
  two.outbox_tables = {"a.b", "c.d"};
  reversed.outbox_tables = {"c.d", "a.b"};
  CHECK(stream_fingerprint(two) == stream_fingerprint(reversed));
  auto odd = sql_config(), other = sql_config();
  odd.header_columns = {"a,b"};
  other.header_columns = {"a", "b"};
  CHECK(stream_fingerprint(odd) != stream_fingerprint(other));
}

TEST_CASE("the store tables' file is a transaction with a lock time-out, and is in the program") {
  const auto text = sql::file("store_tables.sql");
  CHECK(text.find("BEGIN;") < text.find("SET LOCAL lock_timeout"));
  CHECK(text.find("CREATE TABLE IF NOT EXISTS outbox_relay.progress") != std::string_view::npos);
  CHECK(text.find("CREATE TABLE IF NOT EXISTS outbox_relay.dead_letter") != std::string_view::npos);
  CHECK(text.find("COMMIT;") != std::string_view::npos);
}

TEST_CASE("a database that cannot be reached is an error without the password") {
  ConnectionConfig config;
  config.url = Secret("postgresql://relay:sesame@127.0.0.1:1/shop");
  const auto session = SqlSession::connect(config, false);
  REQUIRE_FALSE(session);
  CHECK(session.error().kind == ErrorKind::transient);
  CHECK(session.error().message.find("127.0.0.1:1/shop") != std::string::npos);
  CHECK(session.error().text().find("sesame") == std::string::npos);
}
