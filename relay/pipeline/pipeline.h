// One source -> transforms -> one sink, exactly once where the sink can, and for ever: reconnects, fencing, unknown
// outcomes and rejected events are handled here, by the protocol of relay/pipeline/README.md.
//
// run() uses two threads (the caller's for the source, one of its own for the sink), joined by a queue of two batches.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/pipeline/sink.h"
#include "relay/pipeline/source.h"
#include "relay/pipeline/stores.h"
#include "relay/pipeline/transform.h"

namespace relay {

using namespace std::chrono_literals;

enum class OnReject { halt, dead_letter_topic, dead_letter_table };

struct PipelineOptions {
  std::string name;
  BatchLimits batch;
  OnReject on_reject = OnReject::halt;
  bool drain = false;                            // stop when everything committed before the start is handed over
  Millis idle_progress_interval{10'000};         // progress without events is stored this often at most ...
  std::uint64_t idle_progress_bytes = 16u << 20; // ... or after this much WAL
  Millis stall_release{30'000};                  // the slot is given back when the sink acknowledged nothing for so long
  Millis stop_bound{8'000};                      // after a stop, the running commit gets this long
  Millis backoff_first{250}, backoff_most{30'000};
  std::uint64_t backoff_seed = 0;                // 0: random
  Millis standby_interval{500};                  // how often a standby tries to take the lock
  Millis open_timeout{60'000};                   // for the sink to connect, fence and find its progress
  Millis peek_timeout{10'000};                   // for the look at progress before the lock is taken
  Millis rewrite_interval{24h};                  // stored progress is renewed, or brokers forget idle producers
};

struct PipelineParts {
  std::unique_ptr<Source> source;
  std::unique_ptr<Sink> sink;
  std::unique_ptr<ProgressStore> progress_store;        // only when the sink does not store progress
  std::unique_ptr<DeadLetterStore> dead_letter_store;   // only for OnReject::dead_letter_table
  std::vector<std::unique_ptr<Transform>> transforms;
};

enum class PipelinePhase { starting, standby, snapshot, streaming, backing_off, stopped, failed };
std::string_view to_string(PipelinePhase phase);

// A consistent copy for other threads: `drain`'s progress line, status, metrics.
struct PipelineStatus {
  PipelinePhase phase = PipelinePhase::starting;
  Progress acknowledged;          // the last stored progress
  Lsn server_wal_end;             // the newest the server told
  Lsn drain_target;               // 0 unless draining
  std::string held_back;          // as in StepResult
  std::uint64_t events = 0;       // handed over by this process
  std::uint64_t blocked = 0;      // read, and left out by the policy
  std::uint64_t bytes = 0;        // their payload bytes
  std::uint64_t batches = 0;      // handed over with at least one event
  std::uint64_t rejected = 0;     // dead letters written by this process
  std::uint64_t restarts = 0;     // returns to the start after an error
  std::optional<Error> last_error;
  SourceCounters source;
};

struct PipelineExit {
  enum class Why { stopped, drained, failed };
  Why why = Why::stopped;
  std::optional<Error> error;    // failed: why; stopped: set when the outcome of the last batch is unknown
};

class Pipeline {
 public:
  Pipeline(PipelineOptions options, PipelineParts parts, Clock& clock, Logger log);
  ~Pipeline();

  // Blocks until stopped, drained, or failed in a way that no retry mends. Once per object.
  PipelineExit run(std::stop_token stop);

  PipelineStatus status() const;  // any thread

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The commands' way to the same protocol, without delivering anything. Each takes the lock, fences, changes, releases.
struct AdminParts {
  Source& source;
  Sink& sink;
  ProgressStore* store;  // null when the sink stores progress
  std::string pipeline;
  Logger log;
};
// What is stored now, without taking or changing anything.
Result<std::optional<Progress>> show_progress(const AdminParts& parts, Millis timeout, std::stop_token stop);
// `slot create`: the first start up to and including the first progress record.
Result<Progress> create_slot(const AdminParts& parts, Millis timeout, std::stop_token stop);
// `progress adopt`: the existing slot's confirmed position becomes the stored one. Returns {before, after}; with
// `dry_run` nothing is written, so that the loss can be named before it is confirmed.
struct Adoption {
  std::optional<Progress> before;
  Progress after;
  std::string consequence;  // a sentence: what is lost or comes twice
};
Result<Adoption> adopt_progress(const AdminParts& parts, bool dry_run, Millis timeout, std::stop_token stop);
// `progress reset`: the next start is a first start; `sequence` goes on. The slot stays; `slot drop` removes it.
Result<Adoption> reset_progress(const AdminParts& parts, bool dry_run, Millis timeout, std::stop_token stop);

}  // namespace relay
