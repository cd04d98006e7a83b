// When rows of a polled table may be read, up to which id, and when they may leave. No I/O of its own: the server is
// behind an interface, the time is given.
//
// One round: the newest id L0 of the sequence; in a later statement a transaction id X0; wait until nothing older than
// X0 runs. A transaction has its id before its first row has one (the xid column's default comes first), so by then
// every row up to L0 is committed or will never be. What is read then is in order for good. Before it leaves, the WAL
// must be on disk up to where it was written when the rows had been read: a row whose commit a crash takes back was
// never there. The position is the highest id that left, never L0: after a crash ids between the two may be given out
// again.
#pragma once

#include <cstdint>
#include <string>

#include "relay/base/clock.h"
#include "relay/base/result.h"
#include "relay/model/lsn.h"

namespace relay::connectors::postgres {

struct Barrier {
  std::uint64_t xid = 0;     // X0
  std::uint64_t oldest = 0;  // the oldest that ran when X0's statement began
};

struct WalEnds {
  Lsn inserted, flushed;
};

// What a round asks the server; each is one statement in a transaction of its own.
class PollServer {
 public:
  virtual ~PollServer() = default;
  virtual Result<std::uint64_t> last_id() = 0;
  virtual Result<Barrier> raise_barrier() = 0;
  virtual Result<std::uint64_t> oldest_running() = 0;
  virtual Result<WalEnds> wal_ends() = 0;
};

class PollRounds {
 public:
  enum class Phase {
    idle,      // until due(), then the sequence is looked at
    waiting,   // for older transactions to end; looked at when due()
    reading,   // rows up to upper() may be read
    settling,  // what was read waits for the disk; looked at when due()
  };

  PollRounds(PollServer& server, Millis shortest, Millis longest)
      : server_(server), shortest_(shortest), longest_(longest) {}

  // Everything up to `position` has left.
  void begin(std::uint64_t position, SteadyTime now);
  // Rows that need no round, since nobody writes such any more, may be read and settled; then begin().
  void read_at_once(std::uint64_t position, SteadyTime now);
  void look_now(SteadyTime now);  // something was notified, or is to be expected

  // Moves on if it is time; asks the server once at most. Kind fatal, code ids_behind_progress, when the sequence was
  // set back behind the position.
  Result<void> advance(SteadyTime now);
  // What was appended until now is to leave. `through`: the highest id of it.
  Result<void> settle(std::uint64_t through, SteadyTime now);
  // Phase reading: there is no more row up to upper().
  void finish(SteadyTime now);

  Phase phase() const { return phase_; }
  SteadyTime due() const { return due_; }
  std::uint64_t position() const { return position_; }
  std::uint64_t upper() const { return upper_; }    // L0 of the round
  std::uint64_t newest() const { return newest_; }  // that was seen
  // Everything below is decided, and was read or will never be a row; 0 before the first round.
  std::uint64_t passed() const { return passed_; }
  // Phase waiting: whom for (the oldest that runs), and since when.
  std::uint64_t waits_for() const { return oldest_; }
  SteadyTime waiting_since() const { return since_; }

 private:
  Result<void> look(SteadyTime now);
  Result<void> look_at_running(SteadyTime now);
  Result<void> look_at_disk(SteadyTime now);
  void wait_longer(SteadyTime now, Millis most);

  PollServer& server_;
  const Millis shortest_, longest_;
  Phase phase_ = Phase::idle;
  SteadyTime due_{}, since_{};
  Millis pause_{0};
  std::uint64_t position_ = 0, upper_ = 0, newest_ = 0, passed_ = 0;
  std::uint64_t barrier_ = 0, oldest_ = 0;
  std::uint64_t settling_ = 0;  // becomes the position
  Lsn needed_;                  // on disk, before it may
};

}  // namespace relay::connectors::postgres
