// The connection of a store: made at the first call, and again at the next call after any failure. One thread.
#pragma once

#include <memory>
#include <string>

#include "connectors/postgres/sql_session.h"
#include "relay/base/log.h"

namespace relay::connectors::postgres {

class StoreSession {
 public:
  // `table` of schema outbox_relay, "progress". `create_tables`: when it is missing, it is made.
  StoreSession(ConnectionConfig config, Logger log, std::string table, bool create_tables);

  // One statement, committed and on disk when it returns. Kind fatal, codes <table>_table_missing and
  // <table>_table_privilege_missing, with the SQL, when the table cannot be used.
  Result<SqlRows> query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters,
                        std::string_view attempted);

 private:
  Result<void> open();
  Result<bool> table_exists(SqlSession& sql) const;  // and may be used

  ConnectionConfig config_;
  Logger log_;
  std::string table_;
  bool create_tables_;
  std::unique_ptr<SqlSession> sql_;
  bool had_success_ = false;
};

}  // namespace relay::connectors::postgres
