// Facts as a healthy database would give them, for tests that spoil one thing at a time.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {

inline SlotSourceConfig sql_config() {
  SlotSourceConfig config;
  config.pipeline = "orders";
  config.slot = "outbox_relay_orders";
  config.publication = "outbox_relay";
  config.create_slot = true;
  config.snapshot = SnapshotMode::initial;
  config.outbox_tables = {"public.outbox"};
  return config;
}

inline TableFacts sql_table(std::string schema = "public", std::string name = "outbox", std::uint32_t oid = 100) {
  TableFacts t;
  t.table.oid = oid;
  t.table.schema = std::move(schema);
  t.table.name = std::move(name);
  t.table.leaf_oids = {oid};
  t.table.has_rows = true;
  t.table.estimated_rows = 1234;
  t.may_select = true;
  t.columns = {{"id", "uuid", "pg_catalog", 2950, true, 0},
               {"aggregatetype", "text", "pg_catalog", 25, true, 0},
               {"aggregateid", "text", "pg_catalog", 25, true, 0},
               {"type", "text", "pg_catalog", 25, true, 0},
               {"payload", "jsonb", "pg_catalog", 3802, false, 0},
               {"created_at", "timestamp with time zone", "pg_catalog", 1184, true, 0},
               {"note", "text", "pg_catalog", 25, false, 0}};
  t.key = {"id"};
  t.key_types = {"uuid"};
  return t;
}

inline PublicationFacts sql_publication() {
  PublicationFacts p;
  p.inserts = p.updates = p.deletes = p.truncates = true;
  p.tables = {100};
  return p;
}

inline ServerFacts sql_server() {
  ServerFacts s;
  s.version = 150007;
  s.wal_level = "logical";
  s.role = "relay";
  s.database = "shop";
  s.system_identifier = "7711126700987402988";
  s.may_replicate = true;
  s.timeline = 1;
  return s;
}

inline SlotFacts sql_slot() {
  SlotFacts s;
  s.type = "logical";
  s.plugin = "pgoutput";
  s.database = "shop";
  s.wal_status = "reserved";
  return s;
}

inline std::vector<std::string> codes(const Problems& problems) {
  std::vector<std::string> out;
  for (const auto& p : problems) out.push_back(p.code);
  return out;
}

using Codes = std::vector<std::string>;

}  // namespace relay::connectors::postgres
