// The source's side of a pipeline and the protocol that joins both sides, as a state machine. Each step() makes at most
// one exchange with the source and never waits longer than it is told, so a single-threaded simulation drives the same
// code as the threads do.
//
//   inspecting -> acquiring -> opening -> deciding -> [creating ...] -> running
//        ^            |            any error: quiescing -> backing_off ----+
//        +------------+--------------------------------------------------- +
//
// Every recovery is the same: let the batch under way end, give the lock back, wait, and begin at the start, where the
// stored progress is the only word on what was delivered. relay/pipeline/README.md walks through it.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "relay/base/backoff.h"
#include "relay/pipeline/pipeline.h"
#include "relay/pipeline/resume.h"
#include "relay/pipeline/sink_worker.h"

namespace relay {

class PipelineLoop {
 public:
  PipelineLoop(PipelineOptions options, Source& source, SinkWorker& sink,
               std::vector<std::unique_ptr<Transform>> transforms, Clock& clock, Logger log);

  // One step, waiting for `wait` at most inside the source. Returns how long the caller may sleep before the next one
  // (any wake() ends that sleep). Not after ended().
  Millis step(Millis wait);
  void request_stop() { stop_requested_ = true; }  // the stepping thread
  const std::optional<PipelineExit>& ended() const { return exit_; }

  PipelineStatus status() const;  // any thread

 private:
  enum class State {
    inspecting, peeking, acquiring, opening, deciding, noting_creation, creating, noting_start, running, quiescing,
    backing_off, ended
  };

  // Arena memory that a batch keeps between uses; more is given back after an unusually large batch.
  static constexpr std::size_t kKeepBytes = 8u << 20;
  // How long a step may wait when nothing calls for attention sooner; any wake() ends it.
  static constexpr Millis kServe{100};
  static constexpr Millis kLingerMost{200};
  static constexpr Millis kGather{2};  // while a batch lingers, what arrives is taken this often

  // The start, one function a state (pipeline_start.cpp).
  Millis inspect();
  Millis await_peek();
  Millis acquire();
  Millis await_open(Millis wait);
  Millis decide();
  Result<bool> noted(Millis wait);
  Millis await_creation_note(Millis wait);
  Millis create();
  Millis await_start_note(Millis wait);
  Result<void> start_from(Progress progress);

  // The stream.
  Millis run(Millis wait);
  Result<void> take_delivery();
  void count_delivered(const Batch& batch, const SinkOutcome& outcome);
  void process_appended(std::size_t first);
  bool may_hand_over(const StepResult& step) const;
  static Millis linger(const StepResult& step);
  Progress progress_after(const Batch& batch, Lsn idle_end_lsn) const;
  void hand_over(Lsn idle_end_lsn);
  bool idle_progress_due(const StepResult& step) const;
  void post(Batch* batch);
  Result<void> watch_sink();
  bool drained() const;
  void note_step(const StepResult& step);

  // The end of an attempt.
  Millis leave(Error error);
  Millis stop();
  Millis quiesce(Millis wait);
  Millis finish_attempt();
  Millis back_off();
  void end(PipelineExit exit);

  Error overtaken() const;
  Progress identity() const;
  void write_note(Progress progress, State next);
  void set_phase(PipelinePhase phase);

  const PipelineOptions options_;
  Source& source_;
  SinkWorker& sink_;
  std::vector<std::unique_ptr<Transform>> transforms_;
  Clock& clock_;
  Logger log_;
  Backoff backoff_;

  State state_ = State::inspecting;
  bool stop_requested_ = false;
  std::optional<PipelineExit> exit_;

  // This attempt.
  SourceState source_state_;
  StartAction action_ = StartAction::resume;
  AcquireFor acquired_for_ = AcquireFor::streaming;
  bool acquired_ = false;
  Progress enqueued_;             // stored when every batch given to the sink is
  Progress note_;                 // the record being written by noting_*
  Batch batches_[2];
  Batch* filling_ = nullptr;
  Batch* draining_ = nullptr;
  SteadyTime posted_at_{};
  std::uint64_t settled_ = 0;     // as the sink last said: a batch that is under way moves on
  SteadyTime filling_since_{};    // when the filling batch got its first event
  SteadyTime stored_at_{};        // when progress was last stored
  std::optional<Error> leaving_;  // why this attempt ends; nullopt while stopping
  bool stopping_ = false;
  bool unknown_outcome_ = false;
  SteadyTime quiesce_until_{};
  SteadyTime wake_at_{};
  bool announced_standby_ = false;
  bool passed_target_ = false;    // the source has passed the drain's target, and all it gave is stored
  std::uint64_t delivered_sequence_ = 0;  // the highest that this process saw stored

  mutable std::mutex status_mutex_;
  PipelineStatus status_;         // guarded by status_mutex_
};

}  // namespace relay
