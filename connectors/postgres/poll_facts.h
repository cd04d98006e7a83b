// What the catalogs say of a table that is polled, as plain values: asked once, judged by poll_checks.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/poll_source_config.h"
#include "connectors/postgres/server_questions_facts.h"

namespace relay::connectors::postgres {

// A column that the relay needs in the table.
struct RelayColumnFacts {
  bool exists = false;
  int number = 0;        // its place in the table: defaults are evaluated in this order
  std::string type;      // as SQL prints it
  char identity = 0;     // 'a' GENERATED ALWAYS, 'd' BY DEFAULT
  std::string fallback;  // its default as SQL prints it; empty: none
};

struct IdSequenceFacts {
  std::uint32_t oid = 0;
  std::string schema, name;
  std::int64_t increment = 1, minimum = 1, cache = 1;
  bool cycles = false, unlogged = false, may_select = false;
  std::uint64_t last_id = 0;  // the newest id that was given out; 0 when none was, or it may not be read
};

struct ReaderFacts {
  bool table_exists = false, usable = false;                  // usable: SELECT, INSERT, UPDATE, DELETE
  std::optional<std::uint64_t> acknowledged;                  // of this pipeline's row; nullopt: there is none
  std::vector<std::pair<std::string, std::uint64_t>> others;  // rows of other pipelines that read the same table
};

struct PollFacts {
  RelayColumnFacts id, xid;
  std::optional<IdSequenceFacts> sequence;  // the one that the id column's identity, or its default, takes ids from
  bool sequence_is_the_default = false;     // nothing but nextval() of it, or an identity
  bool subscribed = false;                  // rows are written by logical replication
  bool id_index = false;                    // on every partition
  bool rows_without_id = false;             // asked for only when `first_start`
  bool has_rows = false;                    // the same
  bool pooled = false;                      // something stands between us and the server
  ReaderFacts reader;
};

// `table` is the configured one; `first_start`: also look at the rows, which may cost more than a moment.
Result<PollFacts> poll_facts(SqlSession& sql, const PollSourceConfig& config, const TableFacts& table);
Result<ReaderFacts> reader_facts(SqlSession& sql, const std::string& pipeline, const std::string& table);

// A transaction that is open anywhere in the cluster and has an id: nothing that was written after it began is
// delivered before it ends.
struct HoldingTransaction {
  std::string gid;  // of a prepared one; empty for a session's
  int pid = 0;
  std::string role, application, database;
  std::optional<std::int64_t> age_seconds;  // nullopt: this role may not see it

  std::string text() const;    // `process 4711 (role "app", application psql), open for 40 s`
  std::string remedy() const;  // the statement that ends it
};
// By its transaction id, of which a snapshot tells the oldest.
Result<std::optional<HoldingTransaction>> holding_transaction(SqlSession& sql, std::uint64_t xid);
// All that have been open for longer than `seconds`, the oldest first, about ten at most. Takes so long itself when
// this role may not see since when they are open.
Result<std::vector<HoldingTransaction>> holding_transactions(SqlSession& sql, int seconds);

}  // namespace relay::connectors::postgres
