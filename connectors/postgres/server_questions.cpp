#include "connectors/postgres/server_questions.h"

#include <algorithm>
#include <charconv>

#include "connectors/postgres/capture_checks.h"
#include "connectors/postgres/server_questions_checks.h"
#include "connectors/postgres/server_questions_facts.h"
#include "connectors/postgres/server_questions_sql.h"
#include "sql/embedded.h"

namespace relay::connectors::postgres {

namespace {

Result<void> refuse_first(const Problems& problems) {
  if (!problems.empty()) return fail(problems.front().error());
  return {};
}

const PublicationFacts* pointer(const std::optional<PublicationFacts>& publication) {
  return publication ? &*publication : nullptr;
}

// Rows matter only where nobody has decided about them; looking for them may cost a scan over dead rows.
Result<std::vector<const TableFacts*>> tables_with_rows(SqlSession& sql, const SlotSourceConfig& config,
                                                        const std::vector<TableFacts>& tables) {
  std::vector<const TableFacts*> with_rows;
  if (config.snapshot != SnapshotMode::unset) return with_rows;
  for (const auto& t : tables) {
    const auto* capture = config.capture_of(t.name());
    if (!t.table.has_rows || (capture && !capture->takes_initial_rows())) continue;
    RELAY_ASSIGN(const bool rows, has_visible_rows(sql, t));
    if (rows) with_rows.push_back(&t);
  }
  return with_rows;
}

SourceState state_of(const SlotSourceConfig& config, const ServerFacts& server, const std::optional<SlotFacts>& slot) {
  SourceState state;
  state.system_identifier = server.system_identifier;
  state.timeline = server.timeline;
  state.wal_end = server.wal_end;
  state.slot_name = config.slot;
  if (slot) state.slot = slot->state;
  state.fingerprint = stream_fingerprint(config);
  return state;
}

}  // namespace

Result<SourceState> inspect_server(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_TRY(refuse_first(version_problems(config, sql.server_version())));
  RELAY_ASSIGN(const auto server, server_facts(sql));
  RELAY_TRY(refuse_first(server_problems(server)));
  RELAY_ASSIGN(const auto facts, table_facts(sql, config));
  RELAY_ASSIGN(const auto publication, publication_facts(sql, config.publication));
  RELAY_ASSIGN(const auto slot, slot_facts(sql, config.slot));
  if (slot) RELAY_TRY(refuse_first(slot_problems(config, server, *slot)));
  RELAY_TRY(refuse_first(table_problems(config, facts, pointer(publication))));
  const bool may_make_it = config.create_publication && !slot;
  if (publication || !may_make_it)
    RELAY_TRY(refuse_first(publication_problems(config, facts.tables, pointer(publication), slot.has_value())));
  else
    RELAY_TRY(refuse_first(new_publication_problems(config, facts.tables)));
  auto state = state_of(config, server, slot);
  RELAY_ASSIGN(const auto with_rows, tables_with_rows(sql, config, facts.tables));
  const auto refusals = creation_problems(config, server, facts.tables, with_rows);
  if (!refusals.empty()) state.creation_refused = refusals.front().error();
  return state;
}

Result<std::vector<std::string>> check_publication(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(const auto facts, table_facts(sql, config));
  RELAY_ASSIGN(const auto publication, publication_facts(sql, config.publication));
  // A column that is gone is no matter for here: rows from before that are still to come, and the stream refuses where
  // the column is missing.
  RELAY_TRY(refuse_first(publication_problems(config, facts.tables, pointer(publication), true)));
  for (const auto& t : facts.tables)
    if (config.capture_of(t.name())) RELAY_TRY(refuse_first(mixed_identity_problems(t)));
  std::vector<std::string> unpublished;
  if (publication)
    for (const auto* t : unpublished_matches(config, facts.tables, *publication)) unpublished.push_back(t->name());
  return unpublished;
}

Result<std::vector<OutboxTable>> outbox_tables(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(auto facts, table_facts(sql, config));
  std::vector<OutboxTable> tables;
  for (auto& t : facts.tables) tables.push_back(std::move(t.table));
  return tables;
}

Result<std::vector<RootOf>> partition_roots(SqlSession& sql) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
WITH RECURSIVE up(oid, ancestor) AS (
  SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind IN ('r', 'p')
  UNION SELECT up.oid, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.ancestor)
SELECT up.oid, min(n.nspname || '.' || c.relname)
FROM up JOIN pg_class c ON c.oid = up.ancestor JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = up.ancestor)
GROUP BY up.oid ORDER BY up.oid)",
                                          {}, "look at the partitions of this database"));
  std::vector<RootOf> roots;
  for (const auto& row : rows) {
    RootOf& root = roots.emplace_back();
    std::from_chars(row[0]->data(), row[0]->data() + row[0]->size(), root.oid);
    root.root = *row[1];
  }
  return roots;
}

Result<void> create_publication(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(const auto facts, table_facts(sql, config));
  RELAY_ASSIGN(const auto existing, publication_facts(sql, config.publication));
  RELAY_TRY(refuse_first(table_problems(config, facts, pointer(existing))));
  if (existing) return refuse_first(publication_problems(config, facts.tables, &*existing, false));
  RELAY_TRY(refuse_first(new_publication_problems(config, facts.tables)));
  const auto statement = publication_sql(config, facts.tables);
  auto created = sql.query(statement, {}, "create the publication " + config.publication);
  if (created) return {};
  auto error = std::move(created).error();
  if (error.kind == ErrorKind::fatal) error.hint = "run it as the owner of the tables: " + statement;
  return fail(std::move(error));
}

Result<void> create_store_tables(SqlSession& sql) {
  // Asked first: even CREATE TABLE IF NOT EXISTS needs the right to create.
  RELAY_ASSIGN(const auto existing,
               sql.query("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
                         "n.nspname = 'outbox_relay' AND c.relname IN ('progress', 'dead_letter') AND c.relkind = 'r'",
                         {}, "look for the tables of schema outbox_relay"));
  if (existing.front()[0] == "2") return {};
  auto created = sql.script(std::string(sql::file("store_tables.sql")), "create the tables of schema outbox_relay");
  if (created) return {};
  auto error = std::move(created).error();
  if (error.kind == ErrorKind::fatal) error.hint = "run as the owner of the database: psql -f sql/store_tables.sql";
  return fail(std::move(error));
}

}  // namespace relay::connectors::postgres
