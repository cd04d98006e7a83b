#include <algorithm>

#include "connectors/postgres/doctor_checks.h"
#include "connectors/postgres/replication_session.h"
#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/server_questions_checks.h"
#include "connectors/postgres/trigger_checks.h"

namespace relay::connectors::postgres {

namespace {

Finding red(const Error& error, std::string subject) {
  return {Severity::error, error.code, std::move(subject), error.message, error.hint};
}

class Examination {
 public:
  Examination(const SlotSourceConfig& config, bool needs_store_tables, SqlSession& sql)
      : config_(config), needs_store_tables_(needs_store_tables), sql_(sql) {}

  Findings run() {
    if (const auto done = ask(); !done) findings_.push_back(red(done.error(), "database"));
    return std::move(findings_);
  }

 private:
  void add(Findings more) {
    findings_.insert(findings_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  void add(const Problems& problems) {
    for (const auto& p : problems) findings_.push_back(p.finding());
  }

  Result<void> ask() {
    if (const auto too_old = version_problems(config_, sql_.server_version()); !too_old.empty()) {
      add(too_old);
      return {};
    }
    RELAY_ASSIGN(server_, server_facts(sql_));
    RELAY_ASSIGN(const auto connection, connection_facts(sql_));
    add(connection_findings(server_, connection));
    const auto problems = server_problems(server_);
    add(problems);
    if (server_.in_recovery) return {};
    if (problems.empty()) findings_.push_back(replication());
    RELAY_ASSIGN(slot_, slot_facts(sql_, config_.slot));
    RELAY_TRY(ask_limits());
    RELAY_TRY(ask_tables());
    RELAY_TRY(ask_publication());
    RELAY_TRY(ask_slot());
    RELAY_ASSIGN(auto silent, examine_triggers(sql_, config_));
    add(std::move(silent));
    return ask_store();
  }

  // The kind of connection that the stream needs: a pooler or a rule of pg_hba.conf may let only the other kind pass. That
  // all walsenders are in use, by the relay too, is no fault.
  Finding replication() const {
    const auto subject = "role " + server_.role;
    const auto session = ReplicationSession::connect(config_.connection, false);
    if (session)
      return {Severity::ok, "replication", subject, "wal_level is logical, and a replication connection is accepted", {}};
    auto finding = red(session.error(), subject);
    if (session.error().kind != ErrorKind::fatal) finding.severity = Severity::warning;
    return finding;
  }

  Result<void> ask_limits() {
    RELAY_ASSIGN(const auto settings, settings_facts(sql_));
    add(limit_findings(config_, server_, settings, slot_.has_value()));
    RELAY_ASSIGN(const auto wal, wal_facts(sql_));
    add(wal_findings(config_, settings, wal));
    if (config_.failover) add(failover_findings(config_, server_, settings, slot_ ? &*slot_ : nullptr));
    RELAY_ASSIGN(const auto open, open_transactions(sql_));
    add(transaction_findings(server_, open, settings.may_see_sessions));
    return {};
  }

  Result<void> ask_tables() {
    RELAY_ASSIGN(tables_, table_facts(sql_, config_));
    RELAY_ASSIGN(publication_, publication_facts(sql_, config_.publication));
    const auto problems = table_problems(config_, tables_, publication_ ? &*publication_ : nullptr);
    add(problems);
    if (problems.empty()) add(table_findings(config_, tables_.tables));
    return {};
  }

  Result<void> ask_publication() {
    if (!publication_ && config_.create_publication && !slot_) {
      const auto problems = new_publication_problems(config_, tables_.tables);
      add(problems);
      if (problems.empty()) add(new_publication_findings(config_, server_, tables_.tables));
      return {};
    }
    const auto problems =
        publication_problems(config_, tables_.tables, publication_ ? &*publication_ : nullptr, slot_.has_value());
    add(problems);
    if (publication_) add(publication_findings(config_, tables_.tables, *publication_));
    return {};
  }

  Result<void> ask_slot() {
    if (slot_) {
      const auto problems = slot_problems(config_, server_, *slot_);
      add(problems);
      if (problems.empty()) add(slot_findings(config_, *slot_));
      return {};
    }
    std::vector<const TableFacts*> with_rows;
    for (const auto& t : tables_.tables) {
      if (!t.table.has_rows || config_.snapshot == SnapshotMode::initial) continue;
      RELAY_ASSIGN(const bool rows, has_visible_rows(sql_, t));
      if (rows) with_rows.push_back(&t);
    }
    const auto problems = creation_problems(config_, server_, tables_.tables, with_rows);
    add(problems);
    if (config_.create_slot)
      findings_.push_back(
          {Severity::note,
           "slot_new",
           "slot " + config_.slot,
           "the slot " + quote_identifier(config_.slot) + " does not exist yet; the relay will create it",
           {}});
    add(snapshot_findings(config_, tables_.tables, with_rows));
    return {};
  }

  Result<void> ask_store() {
    RELAY_ASSIGN(const auto store, store_facts(sql_));
    add(store_findings(store, server_.role, config_.create_tables, needs_store_tables_));
    return {};
  }

  const SlotSourceConfig& config_;
  const bool needs_store_tables_;
  SqlSession& sql_;
  Findings findings_;
  ServerFacts server_;
  TablesFacts tables_;
  std::optional<PublicationFacts> publication_;
  std::optional<SlotFacts> slot_;
};

}  // namespace

Findings doctor_database(const SlotSourceConfig& config, bool needs_store_tables) {
  const auto sql = SqlSession::connect(config.connection, false);
  if (!sql) return {red(sql.error(), "database")};
  return Examination(config, needs_store_tables, **sql).run();
}

}  // namespace relay::connectors::postgres
