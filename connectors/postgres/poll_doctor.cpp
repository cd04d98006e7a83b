#include "connectors/postgres/poll_doctor.h"

#include <iterator>

#include "connectors/postgres/doctor_checks.h"
#include "connectors/postgres/poll_checks.h"
#include "connectors/postgres/trigger_checks.h"

namespace relay::connectors::postgres {
namespace {

constexpr int kOpenForLong = 3;  // seconds

Finding red(const Error& error) { return {Severity::error, error.code, "database", error.message, error.hint}; }

class PollExamination {
 public:
  PollExamination(const PollSourceConfig& config, bool needs_store_tables, SqlSession& sql)
      : config_(config), needs_store_tables_(needs_store_tables), sql_(sql) {}

  Findings run() {
    if (const auto done = ask(); !done) findings_.push_back(red(done.error()));
    return std::move(findings_);
  }

 private:
  void add(Findings more) {
    findings_.insert(findings_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  bool add(const Problems& problems) {
    for (const auto& p : problems) findings_.push_back(p.finding());
    return !problems.empty();
  }

  Result<void> ask() {
    if (add(version_problems(config_.common, sql_.server_version()))) return {};
    RELAY_ASSIGN(const auto server, server_facts(sql_));
    RELAY_ASSIGN(const auto connection, connection_facts(sql_));
    auto connected = connection_findings(server, connection);
    std::erase_if(connected, [](const Finding& f) { return f.code == "pooler_in_the_way"; });  // a refusal here
    add(std::move(connected));
    if (add(poll_server_problems(server))) return {};
    RELAY_ASSIGN(const auto holders, holding_transactions(sql_, kOpenForLong));
    add(holder_findings(holders));
    RELAY_TRY(ask_table(server));
    RELAY_ASSIGN(auto silent, examine_triggers(sql_, config_.common));
    add(std::move(silent));
    RELAY_ASSIGN(const auto store, store_facts(sql_));
    add(store_findings(store, server.role, config_.common.create_tables, needs_store_tables_));
    return {};
  }

  Result<void> ask_table(const ServerFacts& server) {
    RELAY_ASSIGN(const auto tables, table_facts(sql_, config_.common));
    if (add(poll_table_problems(config_, tables))) return {};
    const auto& table = tables.tables.front();
    RELAY_ASSIGN(const auto facts, poll_facts(sql_, config_, table));
    const bool bad = add(poll_problems(config_, server, table, facts));
    if (!facts.reader.acknowledged) add(poll_creation_problems(config_, table, facts));
    if (!bad) add(poll_findings(config_, table, facts));
    return {};
  }

  const PollSourceConfig& config_;
  const bool needs_store_tables_;
  SqlSession& sql_;
  Findings findings_;
};

Finding reader_finding(const PollSourceConfig& config, const PollFacts& f) {
  const auto subject = "reader " + config.common.pipeline;
  if (!f.reader.acknowledged)
    return {Severity::note, "reader_new", subject,
            "outbox_relay.reader has no row of this pipeline yet; the relay makes it at the first start, and from then "
            "on the purge "
            "waits for it",
            ""};
  const auto last = f.sequence->last_id, at = *f.reader.acknowledged;
  return {Severity::ok, "reader", subject,
          "up to id " + std::to_string(at) + " is acknowledged, the newest id is " + std::to_string(last), ""};
}

}  // namespace

Findings poll_findings(const PollSourceConfig& config, const TableFacts& table, const PollFacts& f) {
  const auto subject = "table " + table.name();
  Findings out = table_findings(config.common, {table});
  out.push_back(
      {Severity::ok, "relay_columns", subject,
       config.xid_column + " comes before " + config.id_column + ", whose sequence has CACHE 1; the index is there",
       ""});
  if (f.id.identity != 'a')
    out.push_back({Severity::note, "relay_id_writable", subject,
                   "the application may write " + quote_identifier(config.id_column) +
                       " itself (it is not GENERATED ALWAYS); a row with an id of its own choice may be lost",
                   "let every writer leave the columns " + config.xid_column + " and " + config.id_column + " out"});
  out.push_back(reader_finding(config, f));
  for (const auto& [name, acknowledged] : f.reader.others)
    if (acknowledged < f.reader.acknowledged.value_or(0))
      out.push_back(
          {Severity::note, "reader_behind", "reader " + name,
           "it has acknowledged up to id " + std::to_string(acknowledged) +
               " only, and the purge waits for the slowest",
           "if that pipeline is gone: DELETE FROM outbox_relay.reader WHERE pipeline = " + quote_literal(name) + ";"});
  if (!f.reader.acknowledged && f.rows_without_id && config.common.snapshot == SnapshotMode::initial)
    out.push_back(
        {Severity::note, "snapshot_rows", subject, "rows from before the relay's columns will be delivered first", ""});
  return out;
}

Findings holder_findings(const std::vector<HoldingTransaction>& holders) {
  Findings out;
  for (const auto& holder : holders)
    out.push_back(
        {Severity::warning, holder.gid.empty() ? "transaction_open" : "prepared_transaction_open",
         holder.gid.empty() ? "server process " + std::to_string(holder.pid) : "prepared transaction " + holder.gid,
         holder.text() +
             ": rows that are written after it began are delivered only when it has ended, in whatever database "
             "of the cluster it is",
         holder.remedy()});
  if (holders.empty())
    out.push_back(
        {Severity::ok, "transactions", "server", "no transaction that this role may see holds delivery back", ""});
  return out;
}

Findings doctor_polled(const PollSourceConfig& config, bool needs_store_tables) {
  const auto sql = SqlSession::connect(config.common.connection, false);
  if (!sql) return {red(sql.error())};
  return PollExamination(config, needs_store_tables, **sql).run();
}

}  // namespace relay::connectors::postgres
