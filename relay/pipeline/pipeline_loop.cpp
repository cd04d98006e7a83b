#include "relay/pipeline/pipeline_loop.h"

#include <algorithm>

#include "relay/base/assert.h"
#include "relay/pipeline/error_policy.h"

namespace relay {

PipelineLoop::PipelineLoop(PipelineOptions options, Source& source, SinkWorker& sink,
                           std::vector<std::unique_ptr<Transform>> transforms, Clock& clock, Logger log)
    : options_(std::move(options)),
      source_(source),
      sink_(sink),
      transforms_(std::move(transforms)),
      clock_(clock),
      log_(std::move(log)),
      backoff_(options_.backoff_seed ? Backoff(options_.backoff_first, options_.backoff_most, options_.backoff_seed)
                                     : Backoff(options_.backoff_first, options_.backoff_most)),
      batches_{Batch(options_.batch), Batch(options_.batch)} {}

Millis PipelineLoop::step(Millis wait) {
  RELAY_ASSERT(state_ != State::ended);
  if (stop_requested_ && !stopping_) return stop();
  switch (state_) {
    case State::inspecting: return inspect();
    case State::peeking: return await_peek();
    case State::acquiring: return acquire();
    case State::opening: return await_open(wait);
    case State::deciding: return decide();
    case State::noting_creation: return await_creation_note(wait);
    case State::creating: return create();
    case State::noting_start: return await_start_note(wait);
    case State::running: return run(wait);
    case State::quiescing: return quiesce(wait);
    case State::backing_off: return back_off();
    case State::ended: break;
  }
  return Millis{0};
}

// ---- the stream ------------------------------------------------------------------------------------------------------

Millis PipelineLoop::run(Millis wait) {
  if (auto taken = take_delivery(); !taken) return leave(std::move(taken).error());
  if (auto well = watch_sink(); !well) return leave(std::move(well).error());
  const bool full = filling_->full() && filling_->at_boundary();
  const auto first = filling_->events().size();
  // With events waiting and the sink free, look once more for what has arrived, but wait for nothing.
  const bool hungry = !draining_ && filling_->at_boundary() && first > 0;
  auto step = source_.step(full ? nullptr : filling_, hungry ? Millis{0} : wait);
  if (!step) return leave(std::move(step).error());
  process_appended(first);
  note_step(*step);
  if (may_hand_over(*step) || idle_progress_due(*step)) hand_over(step->idle_end_lsn);
  if (drained()) return stop();
  const bool gathering = step->caught_up && !filling_->empty() && linger(*step) >= kGather;
  return gathering ? kGather : Millis{0};
}

void PipelineLoop::note_step(const StepResult& step) {
  const auto target = status_.drain_target;
  passed_target_ |= target && step.passed >= target && !draining_ && filling_->empty();
  const std::lock_guard lock(status_mutex_);
  status_.server_wal_end = std::max(status_.server_wal_end, step.server_wal_end);
  status_.held_back = step.held_back;
}

Result<void> PipelineLoop::take_delivery() {
  auto outcome = sink_.take();
  if (!outcome) return {};
  auto* batch = std::exchange(draining_, nullptr);
  RELAY_ASSERT(batch);
  if (outcome->error) return fail(std::move(*outcome->error));
  const auto& stored = batch->progress;
  delivered_sequence_ = stored.sequence;
  stored_at_ = clock_.now();
  backoff_.reset();
  source_.confirm(stored.end_lsn);
  const bool was_snapshot = status_.acknowledged.state == ProgressState::snapshot;
  if (was_snapshot && stored.state == ProgressState::streaming) {
    log_.info("initial_rows_delivered", "the rows that existed before the first start are delivered",
              {{"rows", stored.snapshot.rows}});
    set_phase(PipelinePhase::streaming);
  }
  const std::lock_guard lock(status_mutex_);
  count_delivered(*batch, *outcome);
  status_.last_error.reset();
  return {};
}

// REQUIRES: status_mutex_ is held.
void PipelineLoop::count_delivered(const Batch& batch, const SinkOutcome& outcome) {
  const auto& events = batch.events();
  const auto blocked = static_cast<std::uint64_t>(std::count_if(
      events.begin(), events.end(), [](const Event& e) { return e.disposition == Disposition::blocked; }));
  status_.acknowledged = batch.progress;
  status_.events += events.size() - blocked;
  status_.blocked += blocked;
  status_.bytes += batch.bytes();
  status_.batches += events.empty() ? 0 : 1;
  status_.rejected += outcome.dead_letters;
}

// Each event has its place in the sequence before any transform sees it.
void PipelineLoop::process_appended(std::size_t first) {
  auto& events = filling_->events();
  if (first == events.size()) return;
  if (first == 0) filling_since_ = clock_.now();
  auto sequence = enqueued_.sequence + first;
  for (auto i = first; i < events.size(); ++i) events[i].sequence = ++sequence;
  for (auto& transform : transforms_) transform->apply(*filling_, first);
}

// A batch closes as soon as the sink is free, at the end of a transaction, or inside one that passes the limit. While
// more can be read without waiting it goes on filling, up to its target: larger batches cost less per event.
bool PipelineLoop::may_hand_over(const StepResult& step) const {
  if (draining_ || filling_->empty() || !filling_->at_boundary()) return false;
  return filling_->full() || (step.caught_up && clock_.now() - filling_since_ >= linger(step));
}

// How long a batch may wait for more: a twentieth of what its newest event had waited already when it was sent. Nothing
// when events are fresh. Behind a backlog it keeps batches large although the server sends with pauses; small ones cost
// so much more processor time that a server on the same machine would send even slower.
Millis PipelineLoop::linger(const StepResult& step) {
  return std::clamp(std::chrono::duration_cast<Millis>(step.behind / 20), Millis{0}, kLingerMost);
}

// What is stored when this batch is handed over. `idle_end_lsn` as in StepResult.
Progress PipelineLoop::progress_after(const Batch& batch, Lsn idle_end_lsn) const {
  auto p = enqueued_;
  p.sequence += batch.events().size();
  p.written_at_us = clock_.unix_micros();
  if (batch.has_boundary()) {
    if (p.state == ProgressState::snapshot) {
      p.state = batch.progress.state;
      p.snapshot = batch.progress.snapshot;
    }
    // Initial rows have no place in the stream: the position stays unset until the first transaction is taken. Without
    // events only the rest of a split transaction moves it.
    if (batch.position().xid != 0 && (!batch.empty() || p.position.inside_transaction())) p.position = batch.position();
    idle_end_lsn = std::max(idle_end_lsn, batch.end_lsn());
  }
  if (p.state == ProgressState::streaming && !p.position.inside_transaction())
    p.end_lsn = std::max(p.end_lsn, idle_end_lsn);
  return p;
}

void PipelineLoop::hand_over(Lsn idle_end_lsn) {
  filling_->progress = progress_after(*filling_, idle_end_lsn);
  enqueued_ = filling_->progress;
  draining_ = filling_;
  filling_ = filling_ == &batches_[0] ? &batches_[1] : &batches_[0];
  filling_->clear(kKeepBytes);
  post(draining_);
}

// Nothing of ours happened, but the server's WAL went on: store that, so that it can be freed.
bool PipelineLoop::idle_progress_due(const StepResult& step) const {
  if (draining_ || !filling_->empty()) return false;
  const auto now = clock_.now();
  if (now - stored_at_ >= options_.rewrite_interval) return true;
  const auto after = progress_after(*filling_, step.idle_end_lsn);
  if (after.state != enqueued_.state) return true;  // the initial read ended
  if (after.end_lsn <= enqueued_.end_lsn || !step.idle_end_lsn) return false;
  const auto target = status_.drain_target;
  return step.reply_wanted || now - stored_at_ >= options_.idle_progress_interval ||
         after.end_lsn.value - enqueued_.end_lsn.value >= options_.idle_progress_bytes ||
         (target && after.end_lsn >= target);
}

void PipelineLoop::post(Batch* batch) {
  posted_at_ = clock_.now();
  sink_.post_deliver(batch);
}

// A slot that is held while nothing is delivered keeps the server from shutting down and others from taking over.
Result<void> PipelineLoop::watch_sink() {
  if (!draining_) return {};
  if (const auto settled = sink_.settled(); std::exchange(settled_, settled) != settled) posted_at_ = clock_.now();
  if (clock_.now() - posted_at_ < options_.stall_release) return {};
  return fail(ErrorKind::transient, "sink_stalled",
              "delivering a batch: the sink acknowledged nothing for " +
                  std::to_string(options_.stall_release.count() / 1000) + " s; the slot is given back until it recovers",
              "look at the broker; the relay goes on by itself");
}

// All that was committed before the start is stored as delivered; what came later is left to the next run.
bool PipelineLoop::drained() const {
  const auto& stored = status_.acknowledged;
  return options_.drain && status_.drain_target && stored.state == ProgressState::streaming &&
         !stored.position.inside_transaction() && (passed_target_ || stored.end_lsn >= status_.drain_target);
}

// ---- the end of an attempt -------------------------------------------------------------------------------------------

Millis PipelineLoop::leave(Error error) {
  leaving_ = std::move(error);
  state_ = State::quiescing;
  quiesce_until_ = clock_.now() + (stopping_ ? options_.stop_bound : options_.stall_release);
  // What the sink is doing for nobody, or cannot do at all, is cut short; a batch under way may end.
  if (!draining_ || leaving_->code == "sink_stalled") sink_.cancel();
  return Millis{0};
}

// No new batch; the running one gets the bound.
Millis PipelineLoop::stop() {
  stopping_ = true;
  if (state_ == State::quiescing) {
    quiesce_until_ = std::min(quiesce_until_, clock_.now() + options_.stop_bound);
    return Millis{0};
  }
  quiesce_until_ = clock_.now() + options_.stop_bound;
  state_ = State::quiescing;
  if (!draining_) sink_.cancel();
  return Millis{0};
}

Millis PipelineLoop::quiesce(Millis wait) {
  if (auto outcome = sink_.take()) {
    auto* batch = std::exchange(draining_, nullptr);
    if (!outcome->error && batch) {
      source_.confirm(batch->progress.end_lsn);
      delivered_sequence_ = std::max(delivered_sequence_, batch->progress.sequence);
      const std::lock_guard lock(status_mutex_);
      count_delivered(*batch, *outcome);
    } else if (outcome->error && batch) {
      unknown_outcome_ = outcome->outcome_unknown;
      // A rejected event under `halt` is found out by the batch that was under way; it must not be retried for ever.
      if (!leaving_ && reaction_to(outcome->error->kind) == Reaction::stop && outcome->error->kind != ErrorKind::cancelled)
        leaving_ = std::move(*outcome->error);
    }
  }
  if (!sink_.busy()) return finish_attempt();
  if (clock_.now() >= quiesce_until_) sink_.cancel();
  // The server is answered while the sink finishes; if the database is what failed, there is nobody to answer.
  if (acquired_ && !leaving_) {
    if (auto served = source_.step(nullptr, wait); !served) acquired_ = false;
    return Millis{0};
  }
  return kServe;
}

Millis PipelineLoop::finish_attempt() {
  source_.release();
  acquired_ = false;
  draining_ = filling_ = nullptr;
  if (stopping_ && (!leaving_ || reaction_to(leaving_->kind) != Reaction::stop)) {
    PipelineExit exit;
    if (drained()) exit.why = PipelineExit::Why::drained;
    if (unknown_outcome_)
      exit.error = Error{ErrorKind::transient, "outcome_unknown",
                         "stopping pipeline " + options_.name + ": the sink did not say in time whether the last batch was committed",
                         "nothing to do: the next start finds out"};
    end(std::move(exit));
    return Millis{0};
  }
  auto error = std::exchange(leaving_, std::nullopt).value();
  {
    const std::lock_guard lock(status_mutex_);
    status_.last_error = error;
  }
  if (reaction_to(error.kind) == Reaction::stop) {
    log_.failure(LogLevel::error, error);
    end({PipelineExit::Why::failed, std::move(error)});
    return Millis{0};
  }
  const auto delay = reaction_to(error.kind) == Reaction::wait ? options_.standby_interval : backoff_.next();
  log_.failure(LogLevel::warn, error);
  {
    const std::lock_guard lock(status_mutex_);
    ++status_.restarts;
  }
  set_phase(PipelinePhase::backing_off);
  wake_at_ = clock_.now() + delay;
  state_ = State::backing_off;
  return delay;
}

Millis PipelineLoop::back_off() {
  const auto now = clock_.now();
  if (now < wake_at_) return std::chrono::ceil<Millis>(wake_at_ - now);
  state_ = State::inspecting;
  return Millis{0};
}

void PipelineLoop::end(PipelineExit exit) {
  if (state_ == State::running) source_.release();
  set_phase(exit.why == PipelineExit::Why::failed ? PipelinePhase::failed : PipelinePhase::stopped);
  exit_ = std::move(exit);
  state_ = State::ended;
}

void PipelineLoop::set_phase(PipelinePhase phase) {
  const std::lock_guard lock(status_mutex_);
  status_.phase = phase;
}

PipelineStatus PipelineLoop::status() const {
  const std::lock_guard lock(status_mutex_);
  auto copy = status_;
  copy.source = source_.counters();
  return copy;
}

}  // namespace relay
