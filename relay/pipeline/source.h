// What a source of events promises to the pipeline. A source is a state machine that one thread drives: no call but
// step() waits for longer than one exchange with the server, and step() waits no longer than it is told to. wake() is
// the only call for other threads.
//
// Order of calls at each start, as relay/pipeline/README.md explains step by step:
//   inspect() -> acquire() -> [drop_lock_object() -> create()] -> start() -> step()/confirm() ... -> release()
// After any error from any call the source is released; inspect() begins again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/result.h"
#include "relay/model/batch.h"
#include "relay/model/progress.h"

namespace relay {

// A change of timeline in the server's history: WAL of `timeline` is valid up to `switch_point`.
struct TimelineSwitch {
  std::uint32_t timeline = 0;
  Lsn switch_point;
};

// The server-side object that holds our place: a replication slot, which is the lock between instances too, or the row of
// a reader, beside which there is an advisory lock.
struct SlotState {
  Lsn confirmed_flush;
  bool active = false;
  int active_pid = 0;
};

// What the database says before anything is taken or changed.
struct SourceState {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  std::vector<TimelineSwitch> history;  // of the timelines before `timeline`
  Lsn wal_end;                          // of the server, flushed; with row ids, the newest id that was given out
  std::string slot_name;                // with row ids: the column and the sequence that they come from
  PlaceKind place = PlaceKind::lsn;     // what all positions of this source count
  std::optional<SlotState> slot;        // nullopt: there is none
  std::optional<Error> creation_refused;  // why create() would refuse: not asked for in `create`, no snapshot choice ...
  std::string fingerprint;              // of the configuration that shapes the stream
};

enum class AcquireFor { streaming, creation };

// Where a newly created slot begins. `snapshot` is nullopt when existing rows are not to be read.
struct StartPoint {
  Lsn consistent_point;
  std::optional<SnapshotProgress> snapshot;
};

struct StepResult {
  bool received = false;   // something arrived
  bool caught_up = false;  // nothing more can be read without waiting
  // Set when everything the server has sent is in batches or was not ours, and no transaction is open: the WAL position
  // up to which that holds. Progress may move here although no event did.
  Lsn idle_end_lsn;
  bool reply_wanted = false;  // the server asked for an answer; if nothing is pending, store idle_end_lsn at once
  Lsn server_wal_end;         // the newest the server told, for lag; 0 when it told nothing
  // How long after its commit the server sent what was read last, both by the server's clock. Much: there is a backlog.
  std::chrono::microseconds behind{0};
  // Everything below was appended to a batch, was not ours, or does not exist: for sources whose last places may be ones
  // of which no event will ever come, so that a drain ends all the same. 0: only stored progress tells.
  Lsn passed;
  std::string held_back;  // who keeps committed events from being delivered, for people; empty: nobody for long
};

// Counters that only grow; read by other threads.
struct SourceCounters {
  std::uint64_t ignored_updates = 0, ignored_deletes = 0, ignored_truncates = 0, ignored_messages = 0, row_moves = 0;
  std::uint64_t snapshot_rows = 0;
};

class Source {
 public:
  virtual ~Source() = default;

  // Looks at the database and changes nothing. Fails with kind fatal for everything that `doctor` shows red: wal_level,
  // role, publication, lost slot.
  virtual Result<SourceState> inspect() = 0;

  // Takes the lock. Kind busy, code slot_active, when another instance holds it. For streaming: the slot's stream is
  // open afterwards and the server is answered by step(), although nothing is appended to a batch before start(). For
  // creation: an advisory lock on the pipeline's name, so that two first starts do not meet.
  virtual Result<void> acquire(AcquireFor what) = 0;

  // Only when acquired for creation. Makes what configuration allows it to make (publication, slot), opens the stream
  // and pins the initial snapshot. Nothing is read yet.
  virtual Result<StartPoint> create() = 0;
  // Only when acquired for creation: drops the slot that an unfinished creation left behind. Fine when there is none.
  virtual Result<void> drop_slot() = 0;

  // Everything at or below `from.position` has been handed over: drop it, append what follows. In state snapshot: go on
  // with the rows that are not read yet, then with the stream.
  virtual Result<void> start(const Progress& from) = 0;

  // Reads what is there, for `wait` at most when nothing is, and appends events to `batch`; marks each boundary. With
  // batch == nullptr it reads nothing more but keeps answering the server.
  // Stops appending at the batch limits, in the middle of a transaction if it must (then it marks that boundary with a
  // position inside the transaction).
  virtual Result<StepResult> step(Batch* batch, Millis wait) = 0;

  // Progress up to here is stored durably; the server may forget it. Sent with the next status update. Never goes back.
  virtual void confirm(Lsn end_lsn) = 0;

  // The position that `drain` must reach: all that was committed before this call, made durable.
  virtual Result<Lsn> drain_target() = 0;

  // Gives the lock back and closes every connection. Idempotent. Confirms what confirm() said, if the server is there.
  virtual void release() noexcept = 0;

  virtual void wake() noexcept = 0;  // any thread: a waiting step() returns
  // Any thread: the pipeline is to stop. A create() that waits for the server, or begins to, gives up.
  virtual void give_up() noexcept = 0;
  virtual SourceCounters counters() const = 0;  // any thread
};

}  // namespace relay
