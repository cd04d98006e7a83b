// What the source asks the server before it takes anything, and the few statements with which it makes what it may
// make. Used by the slot source, by `doctor` and by the commands.
#pragma once

#include <string>
#include <vector>

#include "connectors/postgres/json_types.h"
#include "connectors/postgres/slot_source_config.h"
#include "connectors/postgres/sql_session.h"
#include "relay/model/finding.h"
#include "relay/pipeline/source.h"

namespace relay::connectors::postgres {

// A table that the configured patterns name. Partitions are resolved to the root of their tree.
struct OutboxTable {
  std::uint32_t oid = 0;
  std::string schema, name;              // of the root
  std::vector<std::uint32_t> leaf_oids;  // of its partitions, itself when not partitioned
  double estimated_rows = 0;             // pg_class.reltuples; -1 unknown
  bool has_rows = false;                 // its files are not empty; the rows may all be dead
  bool partitioned = false;
  bool replica_identity = true;  // UPDATE and DELETE on it may be published, on each of its partitions
};

// All checks of step (a): version, recovery, wal_level, role, tables, publication (exists, has every table, publishes
// inserts, no unexpected row filter or column list), slot (logical, pgoutput, this database, not two_phase, not lost).
// Each failure is kind fatal with its code and the SQL that mends it.
Result<SourceState> inspect_server(SqlSession& sql, const SlotSourceConfig& config);

// The publication and the replica identities alone; asked again every 30 s while streaming. Gives the tables that match a
// pattern and are not published.
Result<std::vector<std::string>> check_publication(SqlSession& sql, const SlotSourceConfig& config);

Result<std::vector<OutboxTable>> outbox_tables(SqlSession& sql, const SlotSourceConfig& config);

// Root table of any relation, for resolving partitions while streaming: {oid of any member, "schema.root"}.
struct RootOf {
  std::uint32_t oid = 0;
  std::string root;  // "schema.table"
};
Result<std::vector<RootOf>> partition_roots(SqlSession& sql);

// What the catalogs say of a relation of the stream: the columns of its key (primary key, else the smallest unique index
// over not-null columns; none when the table is gone), and `types` with all that they are made of.
struct RelationDetails {
  std::vector<std::string> key;
  std::vector<TypeFacts> types;
};
Result<RelationDetails> relation_details(SqlSession& sql, std::uint32_t relation, const std::vector<std::uint32_t>& types);

Result<void> create_publication(SqlSession& sql, const SlotSourceConfig& config);
// outbox_relay.progress and outbox_relay.dead_letter, when they are not there (sql/store_tables.sql).
Result<void> create_store_tables(SqlSession& sql);
std::string slot_sql(const SlotSourceConfig& config);

// Stable text of everything in the configuration that shapes the stream; compared with the stored one at every start.
std::string stream_fingerprint(const SlotSourceConfig& config);

// The database's side of `doctor`: everything `run` will need of it, what is a risk, and the statement or setting that
// mends each. Connects by itself; a failed connection is a finding. `needs_store_tables`: progress or dead letters of
// this pipeline are kept in this database. Changes nothing.
Findings doctor_database(const SlotSourceConfig& config, bool needs_store_tables);

}  // namespace relay::connectors::postgres
