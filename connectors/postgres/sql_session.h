// Ordinary SQL. The only file whose .cpp includes libpqxx (Debian 12 has 6.4, Debian 13 has 7: use what both have).
// One connection, one thread. Exceptions end here.
//
// A statement runs under the server's statement_timeout (15 s) and lock_timeout (5 s). When the server is silent beyond
// that (frozen host, network cut without a reset), the connection is shut down from this side after 20 s, so no call
// waits longer. After a failure of the connection every call fails with code connection_lost; the owner makes a new
// one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/connection.h"

namespace relay::connectors::postgres {

using SqlRow = std::vector<std::optional<std::string>>;
using SqlRows = std::vector<SqlRow>;

// An identifier or a text constant as SQL, always quoted: safe for any name, with every server setting.
std::string quote_identifier(std::string_view name);
std::string quote_literal(std::string_view text);
// "schema"."table"
std::string quote_table(std::string_view schema, std::string_view name);

class SqlSession {
 public:
  // `had_success` as in classify_connect_failure. The session has search_path = pg_catalog: everything else in a
  // statement must be schema-qualified, and regclass and the like print with their schema.
  static Result<std::unique_ptr<SqlSession>> connect(const ConnectionConfig& config, bool had_success);
  ~SqlSession();

  // One statement outside a transaction block (autocommit), text parameters $1.. . `attempted` goes into the error.
  Result<SqlRows> query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters,
                        std::string_view attempted);
  // Several statements in one transaction.
  Result<void> transaction(const std::vector<std::string>& statements, std::string_view attempted);
  // A file of statements that brings its own BEGIN and COMMIT. Rolled back when one fails.
  Result<void> script(const std::string& text, std::string_view attempted);

  // How long a silent server is waited for from now on.
  void limit_silence(Millis limit);

  std::string quote_identifier(std::string_view name) const;
  std::string quote_literal(std::string_view text) const;
  int server_version() const;  // 150007
  int backend_pid() const;     // as the server told at the start; differs from pg_backend_pid() behind a pooler
  int socket() const;          // for poll(): readable means the server said something unasked, such as good-bye
  bool alive() const;          // looks without a round trip; false after the server closed

 private:
  class Impl;
  explicit SqlSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace relay::connectors::postgres
