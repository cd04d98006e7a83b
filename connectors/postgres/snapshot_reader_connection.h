// One libpq connection for the initial read: a few bounded exchanges to set it up, then rows that are taken as they
// come, without ever waiting. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/sql_session.h"

struct pg_conn;
struct pg_result;

namespace relay::connectors::postgres {

// One row as libpq holds it. Its texts are valid as long as it is.
class SnapshotRow {
 public:
  explicit SnapshotRow(pg_result* result) : result_(result) {}
  // data() == nullptr: NULL
  std::string_view text(std::size_t column) const;
  std::size_t columns() const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

class SnapshotConnection {
 public:
  static Result<std::unique_ptr<SnapshotConnection>> connect(const ConnectionConfig& config);
  ~SnapshotConnection();

  // Sends a statement and waits for its rows, 20 s at most.
  Result<SqlRows> run(const std::string& sql, std::string_view attempted);

  // Sends a query whose rows next() gives one by one. `attempted` goes into the errors of next().
  Result<void> start(const std::string& sql, const std::vector<std::string>& parameters, std::string attempted);

  enum class Next { row, end, would_block };
  // Takes the next row of the started query. Never waits.
  Result<Next> next(std::optional<SnapshotRow>& row);

  // True when a channel that is listened on was notified since the last call. Never waits; fails when the connection is gone.
  Result<bool> take_notifications();

  int socket() const;
  bool wants_write() const { return wants_write_; }

 private:
  explicit SnapshotConnection(pg_conn* connection) : connection_(connection) {}
  Result<void> wait(long deadline_ms, std::string_view attempted);
  Error lost(std::string_view attempted) const;

  pg_conn* connection_;
  bool wants_write_ = false;
  std::string attempted_;
};

}  // namespace relay::connectors::postgres
