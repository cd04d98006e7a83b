#include "connectors/postgres/poll_checks.h"

#include "connectors/postgres/poll_query.h"
#include "connectors/postgres/server_questions_sql.h"

namespace relay::connectors::postgres {
namespace {

class Judge {
 public:
  Judge(const PollSourceConfig& config, const TableFacts& table) : config_(config), table_(table) {}

  void add(std::string code, std::string message, std::string advice, std::string fix) {
    out_.push_back({ErrorKind::fatal, std::move(code), "table " + table_.name(), std::move(message), std::move(advice),
                    std::move(fix)});
  }
  std::string sql_name() const { return quote_table(table_.table.schema, table_.table.name); }

  void judge_columns(const PollFacts& f) {
    if (!f.id.exists || !f.xid.exists) {
      const auto& missing = f.xid.exists ? config_.id_column : config_.xid_column;
      return add("relay_columns_missing",
                 table_.name() + " has no column " + quote_identifier(missing) +
                     ", without which rows cannot be read in an order "
                     "that loses none",
                 "add both, in this order", add_relay_columns_sql(config_, table_));
    }
    if (f.xid.type != "xid8" || f.xid.fallback != "pg_current_xact_id()")
      add("relay_xid_wrong",
          "the column " + quote_identifier(config_.xid_column) + " of " + table_.name() + " is " + f.xid.type +
              " with the default " + (f.xid.fallback.empty() ? "NULL" : f.xid.fallback) +
              "; it must be xid8 with the default pg_current_xact_id(), so that a transaction has its id before its "
              "rows have theirs",
          f.xid.type == "xid8" ? "" : "drop both columns and add them again: stop the writers, or use two new names",
          f.xid.type == "xid8" ? "ALTER TABLE " + sql_name() + " ALTER COLUMN " + quote_identifier(config_.xid_column) +
                                     " SET DEFAULT pg_current_xact_id();"
                               : "");
    if (f.xid.number > f.id.number)
      add("relay_columns_order",
          "in " + table_.name() + " the column " + quote_identifier(config_.xid_column) + " comes after " +
              quote_identifier(config_.id_column) +
              ": defaults are evaluated in this order, so a row could get its id before its "
              "transaction has one, and be lost",
          "drop and add them again, " + config_.xid_column + " first: stop the writers, or use two new names", "");
    judge_sequence(f);
  }

  void judge_sequence(const PollFacts& f) {
    const bool integer = f.id.type == "bigint" || f.id.type == "integer";
    if (!f.sequence || !f.sequence_is_the_default || !integer)
      return add("relay_id_wrong",
                 "the column " + quote_identifier(config_.id_column) + " of " + table_.name() + " (" + f.id.type +
                     ", default " + (f.id.fallback.empty() ? "NULL" : f.id.fallback) +
                     ") does not get its values from a sequence alone",
                 "make it bigint GENERATED ALWAYS AS IDENTITY, or give it the default nextval('SEQUENCE')", "");
    const auto& s = *f.sequence;
    const auto name = quote_table(s.schema, s.name);
    if (s.cache != 1)
      add("sequence_cached",
          "the sequence " + name + " has CACHE " + std::to_string(s.cache) +
              ": sessions take ids in advance and use them later, so a row could get an id below what was delivered, "
              "and be lost",
          "",
          "ALTER SEQUENCE " + name + " CACHE 1;   -- then end the sessions that hold ids: they keep what they cached");
    if (s.increment < 1 || s.minimum < 1 || s.cycles)
      add("sequence_unfit", "the sequence " + name + " does not only rise from 1 on (INCREMENT, MINVALUE, CYCLE)", "",
          "ALTER SEQUENCE " + name + " INCREMENT 1 MINVALUE 1 NO CYCLE;");
    if (s.unlogged)
      add("sequence_unfit", "the sequence " + name + " is unlogged: after a crash it begins again", "",
          "ALTER SEQUENCE " + name + " SET LOGGED;");
  }

  void judge_rights(const ServerFacts& server, const PollFacts& f) {
    const auto role = quote_identifier(server.role);
    if (!table_.may_select)
      add("select_privilege_missing", "the role " + role + " may not read " + table_.name(), "",
          grant_select_sql(table_, server.role));
    if (f.sequence && !f.sequence->may_select)
      add("select_privilege_missing", "the role " + role + " may not read the sequence of " + table_.name(), "",
          "GRANT SELECT ON SEQUENCE " + quote_table(f.sequence->schema, f.sequence->name) + " TO " + role + ";");
    if (table_.row_security)
      add("row_security_hides_rows",
          "row-level security on " + table_.name() + " would hide rows from the role " + role, "",
          "ALTER ROLE " + role + " BYPASSRLS;");
    if (!f.reader.table_exists && !config_.common.create_tables)
      add("reader_table_missing",
          "the table outbox_relay.reader does not exist, in which the relay notes what is acknowledged",
          "let the relay make it with create: [tables], or run", "psql -f sql/reader.sql");
    if (f.reader.table_exists && !f.reader.usable)
      add("reader_table_privilege_missing", "the role " + role + " may not read and write outbox_relay.reader", "",
          "GRANT USAGE ON SCHEMA outbox_relay TO " + role +
              "; GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_relay.reader TO " + role + ";");
  }

  Problems take() && { return std::move(out_); }

 private:
  const PollSourceConfig& config_;
  const TableFacts& table_;
  Problems out_;
};

}  // namespace

Problems poll_server_problems(const ServerFacts& server) {
  if (!server.in_recovery) return {};
  return {{ErrorKind::transient, "database_in_recovery", "server",
           "the server is a standby (in recovery), which cannot tell which transactions of the primary are still open",
           "connect to the primary, with several hosts in database.url", "target_session_attrs=read-write"}};
}

Problems poll_table_problems(const PollSourceConfig& config, const TablesFacts& facts) {
  PublicationFacts everything;  // a generated column can be read, if not replicated
  everything.generated_columns = true;
  return table_problems(config.common, facts, &everything);
}

Problems poll_problems(const PollSourceConfig& config, const ServerFacts& server, const TableFacts& table,
                       const PollFacts& f) {
  Judge judge(config, table);
  judge.judge_columns(f);
  if (f.subscribed)
    judge.add("outbox_table_subscribed",
              table.name() +
                  " is the target of a subscription: its rows come with ids from elsewhere, in no order that could be "
                  "followed here",
              "poll the table where it is written", "");
  if (!table.table.partitioned && table.table.leaf_oids.size() > 1)
    judge.add("outbox_table_inherited", table.name() + " has children by INHERITS, whose rows take ids as they like",
              "make it a partitioned table, or take the children away", "");
  if (f.id.exists && !f.id_index)
    judge.add("relay_id_index_missing",
              table.name() + " has no index that begins with " + quote_identifier(config.id_column) +
                  ": every look would read the whole table",
              "",
              "CREATE INDEX CONCURRENTLY ON " + judge.sql_name() + " (" + quote_identifier(config.id_column) +
                  ");   -- of a partitioned table: without CONCURRENTLY, or partition by partition");
  if (f.pooled)
    judge.add("pooler_in_between",
              "the process that answers is not the one that the connection announced: a pooler such as PgBouncer "
              "stands in between, "
              "behind which the advisory lock locks nothing",
              "point database.url at the server itself", "");
  judge.judge_rights(server, f);
  return std::move(judge).take();
}

Problems poll_creation_problems(const PollSourceConfig& config, const TableFacts& table, const PollFacts& f) {
  const auto& common = config.common;
  if (common.snapshot == SnapshotMode::unset && f.has_rows)
    return {{ErrorKind::fatal, "snapshot_choice_required", "pipeline " + common.pipeline,
             "rows exist already, and the configuration does not say whether they are delivered: " + table.name() +
                 (table.table.estimated_rows < 0
                      ? " (number unknown)"
                      : " (about " + std::to_string(static_cast<long long>(table.table.estimated_rows)) + ")"),
             "choose initial (they are delivered first) or never", choose_snapshot_setting(common)}};
  if (common.snapshot == SnapshotMode::initial && f.rows_without_id) return initial_read_problems(common, table);
  return {};
}

}  // namespace relay::connectors::postgres
