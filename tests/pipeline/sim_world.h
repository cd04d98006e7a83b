// A database and a broker in memory, with the faults of real ones, for driving the pipeline's state machine in one thread
// under a seeded schedule. The broker is transactional and fences; the database replays from its slot's confirmed position.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "relay/model/progress.h"
#include "relay/pipeline/sink.h"
#include "relay/pipeline/source.h"

namespace relay::sim {

class SimClock final : public Clock {
 public:
  SteadyTime now() override { return now_; }
  std::int64_t unix_micros() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count();
  }
  void advance(Millis by) { now_ += by; }

 private:
  SteadyTime now_{std::chrono::hours(1)};
};

struct Row {
  std::string id;
  std::string key;
  bool ours = true;  // false: a change of another kind, which only moves the position
  bool poison = false;  // the broker refuses it
};

struct Transaction {
  Lsn commit_lsn, end_lsn;
  std::uint32_t xid = 0;
  Millis behind{0};  // how late the server sends it
  std::vector<Row> rows;  // row i has change LSN commit_lsn - 8 * (n - i / 2): two rows share each
};

struct Database {
  std::string system_identifier = "7000000000000000001";
  std::uint32_t timeline = 1;
  std::vector<TimelineSwitch> history;
  std::vector<Transaction> log;  // committed, in order
  std::vector<Row> initial;      // rows from before the slot
  Lsn wal_end{0x1000};
  std::uint32_t next_xid = 700;
  bool up = true;
  int epoch = 0;                 // grows when every connection breaks

  struct Slot {
    Lsn confirmed;               // in memory
    Lsn durable;                 // at the last checkpoint
    Lsn created_at;
    int holder = 0;              // id of the holding source; 0: nobody
    std::size_t initial_rows = 0;
  };
  std::optional<Slot> slot;
  int creation_lock = 0;

  void commit(std::vector<Row> rows, Millis behind = Millis{0});
  void write_elsewhere() { wal_end.value += 64; }
  void checkpoint() { if (slot) slot->durable = slot->confirmed; }
  void crash();                  // connections break; the slot's position goes back to the last checkpoint
};

// One committed record as a read_committed consumer sees it.
struct Delivered {
  std::string id, key, topic;
  std::uint64_t sequence = 0;
};

struct Broker {
  std::vector<Delivered> log;
  std::optional<Progress> progress;
  std::vector<Progress> progress_log;
  std::string cluster_id = "sim-cluster";
  int producer_epoch = 0;        // the newest instance; older ones are fenced
  bool up = true;
  bool mute = false;             // takes what it is sent, and says nothing
  bool one_rejection_at_a_time = false;
};

// What goes wrong with a commit.
enum class Fate { done, refused, applied_answer_lost, never_answered };

class SimSource final : public Source {
 public:
  SimSource(Database& db, int id, bool initial_read) : db_(db), id_(id), initial_read_(initial_read) {}
  ~SimSource() override { release(); }

  Result<SourceState> inspect() override;
  Result<void> acquire(AcquireFor what) override;
  Result<StartPoint> create() override;
  Result<void> drop_slot() override;
  Result<void> start(const Progress& from) override;
  Result<StepResult> step(Batch* batch, Millis wait) override;
  void confirm(Lsn end_lsn) override;
  Result<Lsn> drain_target() override { return db_.wal_end; }
  void release() noexcept override;
  void wake() noexcept override {}
  void give_up() noexcept override {}
  SourceCounters counters() const override { return {}; }
  std::size_t rows_per_step = 3;

 private:
  Result<void> connected() const;
  bool read_initial(Batch& batch);
  Result<void> read_stream(Batch& batch, std::size_t most);

  Database& db_;
  const int id_;
  const bool initial_read_;
  int epoch_ = -1;
  bool started_ = false;
  Progress from_;
  std::size_t initial_next_ = 0;
  std::size_t txn_ = 0, row_ = 0;  // next to be read
  Millis behind_{0};
};

class SimSink final : public Sink {
 public:
  SimSink(Broker& broker, std::mt19937_64& random, int& fault_percent)
      : broker_(broker), random_(random), fault_percent_(fault_percent) {}

  bool stores_progress() const override { return true; }
  Result<PeekedProgress> peek_progress(Millis, std::stop_token) override;
  Result<void> open(Millis, std::stop_token) override;
  Result<std::optional<Progress>> read_progress(Millis, std::stop_token) override;
  std::string cluster_id() const override { return broker_.cluster_id; }
  void submit(const Batch& batch) override;
  std::optional<Delivery> step(Millis) override;
  void close() noexcept override { epoch_ = 0; batch_ = nullptr; }

 private:
  void apply();

  Broker& broker_;
  std::mt19937_64& random_;
  int& fault_percent_;
  int epoch_ = 0;
  const Batch* batch_ = nullptr;
  int steps_left_ = 0;
  Fate fate_ = Fate::done;
};

}  // namespace relay::sim
