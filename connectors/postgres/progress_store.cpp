#include "connectors/postgres/progress_store.h"

#include "connectors/postgres/store_session.h"
#include "relay/pipeline/progress_json.h"

namespace relay::connectors::postgres {

namespace {

class DatabaseProgressStore final : public ProgressStore {
 public:
  DatabaseProgressStore(const ConnectionConfig& config, Logger log, bool create_tables)
      : session_(config, std::move(log), "progress", create_tables) {}

  Result<std::optional<Progress>> load(const std::string& pipeline) override {
    RELAY_ASSIGN(const auto rows, session_.query("SELECT record::text FROM outbox_relay.progress WHERE pipeline = $1",
                                                 {pipeline}, "read the progress of pipeline " + pipeline));
    if (rows.empty()) return std::nullopt;
    RELAY_ASSIGN(auto progress, progress_from_json(rows.front()[0].value_or("")));
    return std::optional<Progress>(std::move(progress));
  }

  Result<void> save(const Progress& progress) override {
    RELAY_ASSIGN(
        const auto saved,
        session_.query("INSERT INTO outbox_relay.progress AS p (pipeline, record, sequence, end_lsn, updated_at) "
                       "VALUES ($1, $2::jsonb, $3::bigint, $4::pg_lsn, now()) "
                       "ON CONFLICT (pipeline) DO UPDATE SET record = excluded.record, "
                       "sequence = excluded.sequence, end_lsn = excluded.end_lsn, updated_at = now() "
                       "WHERE p.sequence <= excluded.sequence RETURNING p.sequence",
                       {progress.pipeline, progress_to_json(progress), std::to_string(progress.sequence),
                        to_string(progress.end_lsn)},
                       "store the progress of pipeline " + progress.pipeline));
    if (!saved.empty()) return {};
    return fail(ErrorKind::fenced, "progress_behind_stored",
                "storing the progress of pipeline " + progress.pipeline + ": the stored sequence is beyond " +
                    std::to_string(progress.sequence) + ", so another instance has delivered for it",
                "let only one instance run this pipeline, or give the other one another name");
  }

 private:
  StoreSession session_;
};

}  // namespace

std::unique_ptr<ProgressStore> make_progress_store(const ConnectionConfig& config, Logger log, bool create_tables) {
  return std::make_unique<DatabaseProgressStore>(config, std::move(log), create_tables);
}

}  // namespace relay::connectors::postgres
