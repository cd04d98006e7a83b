#include "connectors/postgres/store_session.h"

#include "connectors/postgres/server_questions.h"

namespace relay::connectors::postgres {

StoreSession::StoreSession(ConnectionConfig config, Logger log, std::string table, bool create_tables)
    : config_(std::move(config)), log_(std::move(log)), table_(std::move(table)), create_tables_(create_tables) {}

Result<bool> StoreSession::table_exists(SqlSession& sql) const {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
       AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE'), current_user
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'outbox_relay' AND c.relname = $1 AND c.relkind = 'r')",
                                          {table_}, "look for the table outbox_relay." + table_));
  if (rows.empty()) return false;
  if (rows.front()[0] == "t") return true;
  const auto name = "outbox_relay." + table_;
  const auto role = quote_identifier(rows.front()[1].value_or(""));
  return fail(ErrorKind::fatal, table_ + "_table_privilege_missing",
              "opening the table " + name + ": the role " + role + " may not read and write it",
              "GRANT USAGE ON SCHEMA outbox_relay TO " + role + "; GRANT SELECT, INSERT, UPDATE ON " + name + " TO " +
                  role + ";");
}

Result<void> StoreSession::open() {
  if (sql_ && sql_->alive()) return {};
  const bool again = had_success_;
  sql_.reset();
  RELAY_ASSIGN(auto sql, SqlSession::connect(config_, had_success_));
  RELAY_ASSIGN(const bool exists, table_exists(*sql));
  if (!exists && !create_tables_)
    return fail(ErrorKind::fatal, table_ + "_table_missing",
                "opening the table outbox_relay." + table_ + ": it does not exist",
                "let the relay make it with create: [tables], or run: psql -f sql/store_tables.sql");
  if (!exists) {
    RELAY_TRY(create_store_tables(*sql));
    log_.info("store_tables_created", "created the tables of schema outbox_relay");
  }
  // What a store says to have saved must survive a crash of the server, whatever the database's default is. For the
  // session, not by SET LOCAL: each call is one statement, and so one round trip.
  RELAY_TRY(sql->query("SET synchronous_commit = on", {}, "set up the connection to outbox_relay." + table_));
  sql_ = std::move(sql);
  had_success_ = true;
  if (again) log_.info("store_reconnected", "connected to the database again", {{"table", "outbox_relay." + table_}});
  return {};
}

Result<SqlRows> StoreSession::query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters,
                                    std::string_view attempted) {
  RELAY_TRY(open());
  auto rows = sql_->query(sql, parameters, attempted);
  if (!rows) sql_.reset();  // the next call looks afresh
  return rows;
}

}  // namespace relay::connectors::postgres
