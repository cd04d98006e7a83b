#include "connectors/postgres/migration_database.h"

#include "connectors/postgres/sql_session.h"

namespace relay::connectors::postgres {
namespace {

// `doctor` knows what a pipeline needs, not what a migration does: hints for the role that migrates.
Error for_migrations(Error error) {
  if (error.code == "permission_denied")
    error.hint =
        "migrate as the owner of the tables, with GRANT CREATE ON DATABASE ... TO that role; sql/README.md lists the "
        "rights of each part";
  else if (error.code == "lock_timeout")
    error.code = "lock_unavailable";
  else if (error.code == "statement_refused")
    error.hint = "outbox-relay migrate status tells what the database has already";
  return error;
}

class SessionDatabase : public migrate::Database {
 public:
  SessionDatabase(std::unique_ptr<SqlSession> session, std::string target)
      : session_(std::move(session)), target_(std::move(target)) {}

  std::string target() const override { return target_; }

  Result<std::vector<migrate::Row>> query(const std::string& sql,
                                          const std::vector<std::optional<std::string>>& parameters,
                                          std::string_view attempted) override {
    return session_->query(sql, parameters, attempted).map_error(for_migrations);
  }

  Result<void> script(const std::string& text, std::string_view attempted) override {
    return session_->script(text, attempted).map_error(for_migrations);
  }

 private:
  std::unique_ptr<SqlSession> session_;
  std::string target_;
};

}  // namespace

Result<std::unique_ptr<migrate::Database>> make_migration_database(const ConnectionConfig& config) {
  RELAY_ASSIGN(auto session, SqlSession::connect(config, false));
  return std::make_unique<SessionDatabase>(std::move(session), describe_target(config));
}

}  // namespace relay::connectors::postgres
