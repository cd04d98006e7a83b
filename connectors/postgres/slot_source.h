// relay::Source over a replication slot: existing rows first when wanted, then every committed row of the outbox
// tables. README.md of this folder explains how; relay/pipeline/source.h is the contract.
//
// Connections: a walsender (the stream; the slot is the lock), a plain SQL session (questions, and the canary that
// tells at once when the server shuts down), and during the initial read a third.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "connectors/postgres/outbox_stream.h"
#include "connectors/postgres/replication_session.h"
#include "connectors/postgres/silence_watch.h"
#include "connectors/postgres/snapshot_reader.h"
#include "connectors/postgres/sql_session.h"
#include "relay/base/waker.h"
#include "relay/pipeline/source.h"

namespace relay::connectors::postgres {

class SlotSource final : public Source {
 public:
  SlotSource(SlotSourceConfig config, Clock& clock, Logger log);
  ~SlotSource() override;

  Result<SourceState> inspect() override;
  Result<void> acquire(AcquireFor what) override;
  Result<StartPoint> create() override;
  Result<void> drop_slot() override;
  Result<void> start(const Progress& from) override;
  Result<StepResult> step(Batch* batch, Millis wait) override;
  void confirm(Lsn end_lsn) override;
  Result<Lsn> drain_target() override;
  void release() noexcept override;
  void wake() noexcept override { waker_.wake(); }
  void give_up() noexcept override {
    given_up_ = true;
    waker_.wake();
  }
  SourceCounters counters() const override;

 private:
  // The start.
  Result<void> connect_sql();
  Result<void> identify();
  Result<void> lock_pipeline_name();
  Result<CreatedSlot> create_slot();
  Result<void> open_stream();
  Result<void> follow_failover_setting();
  Result<void> note_slot_facts();

  // The stream and the initial read.
  enum class Burst { blocked, full, time_is_up };
  Result<StepResult> step_stream(Batch& batch, Millis wait);
  Result<StepResult> refuse_after(Error error, Batch& batch);
  Result<StepResult> hold_refusal(Batch& batch, Millis wait);
  Result<Burst> read_stream(Batch& batch, bool& received);
  Result<Burst> read_burst(Batch& batch, SteadyTime until, std::size_t& messages);
  Result<void> take(std::string_view message, Batch& batch);
  Result<StepResult> step_snapshot(Batch& batch, Millis wait);
  Result<SnapshotReader::Read> read_snapshot(Batch& batch);
  void finish_snapshot(Batch& batch);

  // What goes on beside it.
  Result<void> serve();
  Result<void> watch_canary();
  Result<void> watch_silence();
  Result<void> answer_server();
  bool publication_check_is_due();
  Result<void> recheck_publication();
  Result<void> note_wal_end();
  void warn_of_unpublished(const std::vector<std::string>& tables);
  tl::unexpected<Error> publication_skipped() const;
  enum class Listen { nothing, stream, snapshot };
  Result<void> wait_for(Listen what, Millis wait);

  const SlotSourceConfig config_;
  Clock& clock_;
  Logger log_;
  Waker waker_;
  std::atomic<bool> given_up_{false};
  StreamCounters counters_;
  std::atomic<std::uint64_t> snapshot_rows_{0};
  OutboxStream stream_;
  SilenceWatch silence_;
  std::unordered_set<std::string> warned_of_;  // unpublished tables
  bool had_success_ = false;  // in this process: what a wrong password means depends on it

  // From inspect() to release().
  struct Attempt {
    std::int64_t sent_us = 0;  // when the server sent the last message, by its clock, since 1970
    std::unique_ptr<SqlSession> sql;
    std::unique_ptr<ReplicationSession> session;
    std::unique_ptr<SnapshotReader> snapshot;  // while existing rows are read
    std::optional<SystemIdentity> identity;
    std::vector<TimelineSwitch> history;
    bool streaming = false;        // START_REPLICATION succeeded
    bool started = false;          // start() was called
    bool reading = false;          // the last step read from the stream
    bool ask = false;              // the next status update asks the server for a sign of life
    bool answer_now = false;       // the server wants a status update before the timer
    std::optional<Error> refused;  // raised when what was read before it is handed over
    Progress from;
    Lsn slot_confirmed;  // when the stream was opened
    Lsn confirmed;       // by confirm()
    Lsn server_wal_end;
    Lsn reply_wanted_at;  // the newest WAL end at which the server asked for an answer
    Millis status_interval{0};
    SteadyTime status_due{};
    SteadyTime publication_due{};
    SteadyTime canary_due{};
  };
  Attempt now_;
};

}  // namespace relay::connectors::postgres
