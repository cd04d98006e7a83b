// relay::Source over an outbox table that is read with ordinary SQL, for databases whose wal_level cannot be changed.
// README.md of this folder explains how; poll_rounds.h is the algorithm, relay/pipeline/source.h the contract.
//
// Ids of rows take the place of LSNs. The row of this pipeline in outbox_relay.reader takes the place of the slot: it
// holds the purge back, and is made, moved and dropped like one; the lock is an advisory lock of the session beside it.
// Connections: one that asks and holds the lock, one that reads rows.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "connectors/postgres/poll_reader.h"
#include "connectors/postgres/poll_rounds.h"
#include "connectors/postgres/poll_session.h"
#include "relay/base/log.h"
#include "relay/base/waker.h"
#include "relay/pipeline/source.h"

namespace relay::connectors::postgres {

// All that `run` will need of the database, as inspect() asks it.
struct PollInspection {
  SourceState state;
  TableFacts table;
  PollFacts facts;
};
Result<PollInspection> inspect_polled(SqlSession& sql, const PollSourceConfig& config);

class PollSource final : public Source {
 public:
  PollSource(PollSourceConfig config, Clock& clock, Logger log);
  ~PollSource() override;

  Result<SourceState> inspect() override;
  Result<void> acquire(AcquireFor what) override;
  Result<StartPoint> create() override;
  Result<void> drop_slot() override;
  Result<void> start(const Progress& from) override;
  Result<StepResult> step(Batch* batch, Millis wait) override;
  void confirm(Lsn end_id) override;
  Result<Lsn> drain_target() override;
  void release() noexcept override;
  void wake() noexcept override { waker_.wake(); }
  void give_up() noexcept override {
    given_up_ = true;
    waker_.wake();
  }
  SourceCounters counters() const override;

 private:
  Result<void> connect();
  Result<std::uint64_t> settled_start();
  Result<const OutboxMapping*> mapping_of(const PollTable& table);

  // One slice of the way of rows; true when anything moved.
  Result<bool> go_on(Batch& batch);
  Result<bool> go_on_once(Batch& batch);
  Result<bool> read_rows(Batch& batch);
  Result<void> end_query(Batch& batch);
  Result<void> mark(Batch& batch);
  void finish_initial(Batch& batch);
  tl::unexpected<Error> read_failed(Error error);

  // What goes on beside it.
  Result<void> serve();
  Result<void> acknowledge();
  void purge();
  Result<void> watch_holder();
  enum class Listen { nothing, rows };
  Result<void> wait_for(Listen what, Millis wait);
  Millis until_due(Millis most) const;

  const PollSourceConfig config_;
  Clock& clock_;
  Logger log_;
  Waker waker_;
  std::atomic<bool> given_up_{false};
  std::atomic<std::uint64_t> initial_rows_{0};
  std::vector<std::unique_ptr<OutboxMapping>> mappings_;  // all that were ever made: events refer to them
  bool had_success_ = false;

  // From inspect() to release().
  struct Attempt {
    std::unique_ptr<PollSession> session;
    std::unique_ptr<PollReader> reader;
    std::optional<PollInspection> seen;
    std::unique_ptr<PollRounds> rounds;
    Progress from;
    bool initial = false;  // rows without an id are being read
    bool started = false;
    bool query_ended = false;        // of the rows that wait to be settled
    bool unmarked = false;           // rows were appended behind the last boundary
    bool read_any = false;           // at least one query went well
    std::uint64_t confirmed = 0;     // by confirm()
    std::uint64_t acknowledged = 0;  // in outbox_relay.reader
    bool purge_wanted = false;
    SteadyTime acknowledge_due{}, purge_due{};
    SteadyTime holder_due{};
    std::string held_back;
  };
  Attempt now_;
};

}  // namespace relay::connectors::postgres
