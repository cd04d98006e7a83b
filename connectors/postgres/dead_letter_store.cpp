#include "connectors/postgres/dead_letter_store.h"

#include "connectors/postgres/dead_letter_rows.h"
#include "connectors/postgres/store_session.h"

namespace relay::connectors::postgres {

namespace {

constexpr std::size_t kEventsPerStatement = 500;
constexpr std::size_t kBytesPerStatement = 4u << 20;  // unless one event alone is larger

// The first time stays. Attempts count how often the event came to be rejected, not how often a batch was sent again:
// a batch that is sent again gives its events the same sequence.
constexpr const char* kPark = R"(
INSERT INTO outbox_relay.dead_letter AS d
  (pipeline, commit_lsn, change_lsn, ordinal, sequence, event_id, aggregate_type, aggregate_id, event_type, payload,
   headers, source_table, from_snapshot, committed_at, reject_code, reject_reason)
SELECT $1, e.commit_lsn, e.change_lsn, e.ordinal, e.sequence, e.event_id, e.aggregate_type, e.aggregate_id,
       e.event_type, e.payload, e.headers, e.source_table, e.from_snapshot,
       timestamptz '1970-01-01 00:00:00+00' + e.commit_micros * interval '1 microsecond', e.reject_code, e.reject_reason
FROM unnest($2::pg_lsn[], $3::pg_lsn[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::bytea[], $11::jsonb[], $12::text[], $13::boolean[], $14::bigint[], $15::text[], $16::text[])
  AS e(commit_lsn, change_lsn, ordinal, sequence, event_id, aggregate_type, aggregate_id, event_type, payload, headers,
       source_table, from_snapshot, commit_micros, reject_code, reject_reason)
ON CONFLICT (pipeline, commit_lsn, change_lsn, ordinal) DO UPDATE
  SET sequence = excluded.sequence, reject_code = excluded.reject_code, reject_reason = excluded.reject_reason,
      last_rejected_at = now(), attempts = d.attempts + 1
  WHERE d.sequence <> excluded.sequence)";

class DatabaseDeadLetterStore final : public DeadLetterStore {
 public:
  DatabaseDeadLetterStore(const ConnectionConfig& config, Logger log, bool create_tables)
      : session_(config, std::move(log), "dead_letter", create_tables) {}

  Result<void> park(const std::string& pipeline, std::span<const Event* const> events) override {
    DeadLetterRows rows;
    for (const auto* event : events) {
      rows.add(*event);
      if (rows.count() < kEventsPerStatement && rows.bytes() < kBytesPerStatement) continue;
      RELAY_TRY(store(pipeline, rows));
    }
    return store(pipeline, rows);
  }

 private:
  Result<void> store(const std::string& pipeline, DeadLetterRows& rows) {
    if (rows.count() == 0) return {};
    const auto attempted = "store " + std::to_string(rows.count()) + " dead letters of pipeline " + pipeline;
    RELAY_TRY(session_.query(kPark, rows.take_parameters(pipeline), attempted));
    return {};
  }

  StoreSession session_;
};

}  // namespace

std::unique_ptr<DeadLetterStore> make_dead_letter_store(const ConnectionConfig& config, Logger log,
                                                        bool create_tables) {
  return std::make_unique<DatabaseDeadLetterStore>(config, std::move(log), create_tables);
}

}  // namespace relay::connectors::postgres
