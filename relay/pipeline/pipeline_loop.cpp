#include "relay/pipeline/pipeline_loop.h"

#include <algorithm>

#include "relay/base/assert.h"
#include "relay/pipeline/error_policy.h"

namespace relay {
namespace {

// Arena memory that a batch keeps between uses; more than that is given back after an unusually large batch.
constexpr std::size_t kKeepBytes = 8u << 20;
// How long a step may wait when nothing calls for attention sooner; any wake() ends it.
constexpr Millis kServe{100};

}  // namespace

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

Error PipelineLoop::overtaken() const {
  return {ErrorKind::transient, "start_overtaken",
          "starting pipeline " + options_.name + ": another instance changed slot or progress meanwhile", ""};
}

// ---- the start -------------------------------------------------------------------------------------------------------

// (a) What the database says, and a read-only look at progress.
Millis PipelineLoop::inspect() {
  set_phase(announced_standby_ ? PipelinePhase::standby : PipelinePhase::starting);
  auto state = source_.inspect();
  if (!state) return leave(std::move(state).error());
  source_state_ = std::move(*state);
  if (announced_standby_) {  // progress was looked at when the wait began, and counts only once the lock is held
    state_ = State::acquiring;
    return Millis{0};
  }
  sink_.post_peek();
  state_ = State::peeking;
  return Millis{0};
}

Millis PipelineLoop::await_peek() {
  auto outcome = sink_.take();
  if (!outcome) return kServe;
  if (outcome->error) return leave(std::move(*outcome->error));
  auto action = decide_start(source_state_, outcome->progress, options_.name, sink_.cluster_id());
  if (!action) {
    // Another instance may have gone on between the two looks, so that they do not belong together. What is refused with
    // the database as it was before that look at progress and as it is after it is refused for good.
    auto state = source_.inspect();
    if (!state) return leave(std::move(state).error());
    const auto again = decide_start(*state, outcome->progress, options_.name, sink_.cluster_id());
    if (!again && again.error().code == action.error().code) return leave(action.error());
    return leave(overtaken());
  }
  acquired_for_ = *action == StartAction::resume ? AcquireFor::streaming : AcquireFor::creation;
  state_ = State::acquiring;
  return Millis{0};
}

// (b) The slot is the lock, and only its holder may fence.
Millis PipelineLoop::acquire() {
  if (auto taken = source_.acquire(acquired_for_); !taken) {
    if (reaction_to(taken.error().kind) != Reaction::wait) return leave(std::move(taken).error());
    if (!announced_standby_)
      log_.info("standby", "another instance has the lock; waiting to take over", {{"reason", taken.error().message}});
    announced_standby_ = true;
    set_phase(PipelinePhase::standby);
    wake_at_ = clock_.now() + options_.standby_interval;
    state_ = State::backing_off;
    source_.release();
    return options_.standby_interval;
  }
  acquired_ = true;
  announced_standby_ = false;
  sink_.post_open();
  state_ = State::opening;
  set_phase(PipelinePhase::starting);
  return Millis{0};
}

// (c) Fence, (d) read what is stored; the source answers the server meanwhile.
Millis PipelineLoop::await_open(Millis wait) {
  if (auto served = source_.step(nullptr, wait); !served) return leave(std::move(served).error());
  auto outcome = sink_.take();
  if (!outcome) return Millis{0};
  if (outcome->error) return leave(std::move(*outcome->error));
  enqueued_ = outcome->progress.value_or(Progress{});
  if (!outcome->progress) enqueued_.state = ProgressState::reset;
  state_ = State::deciding;
  return Millis{0};
}

// (e) The same decision again, now with the lock held and every other instance fenced: this one counts.
Millis PipelineLoop::decide() {
  auto state = source_.inspect();
  if (!state) return leave(std::move(state).error());
  source_state_ = std::move(*state);
  const auto action = decide_start(source_state_, enqueued_, options_.name, sink_.cluster_id());
  if (!action) return leave(action.error());
  action_ = *action;
  if ((action_ == StartAction::resume) != (acquired_for_ == AcquireFor::streaming))
    return leave(overtaken());
  if (enqueued_.sequence < delivered_sequence_)
    return leave(Error{ErrorKind::corrupt, "progress_went_back",
                       "starting pipeline " + options_.name + ": stored is sequence " + std::to_string(enqueued_.sequence) +
                           ", but this process saw " + std::to_string(delivered_sequence_) + " stored before",
                       "the progress topic lost committed records (recreated, or an unclean leader election); compare, "
                       "then: outbox-relay progress adopt -c FILE --pipeline " + options_.name});
  if (action_ != StartAction::resume) {
    auto note = identity();
    note.state = ProgressState::creating;
    write_note(std::move(note), State::noting_creation);
    return Millis{0};
  }
  auto started = start_from(enqueued_);
  return started ? Millis{0} : leave(std::move(started).error());
}

// True once the note is stored; the sink is watched like with any batch.
Result<bool> PipelineLoop::noted(Millis wait) {
  RELAY_TRY(source_.step(nullptr, wait));
  auto outcome = sink_.take();
  if (!outcome) {
    RELAY_TRY(watch_sink());
    return false;
  }
  draining_ = nullptr;
  if (outcome->error) return tl::unexpected(std::move(*outcome->error));
  return true;
}

Millis PipelineLoop::await_creation_note(Millis wait) {
  const auto stored = noted(wait);
  if (!stored) return leave(stored.error());
  if (!*stored) return Millis{0};
  state_ = State::creating;
  return Millis{0};
}

// The slot comes after the record that says it is coming, and before the record that says where it begins.
Millis PipelineLoop::create() {
  if (action_ == StartAction::recreate)
    if (auto dropped = source_.drop_slot(); !dropped) return leave(std::move(dropped).error());
  auto start = source_.create();
  if (!start) return leave(std::move(start).error());
  auto note = identity();
  note.state = start->snapshot ? ProgressState::snapshot : ProgressState::streaming;
  if (start->snapshot) note.snapshot = std::move(*start->snapshot);
  note.end_lsn = start->consistent_point;
  write_note(std::move(note), State::noting_start);
  return Millis{0};
}

Millis PipelineLoop::await_start_note(Millis wait) {
  const auto stored = noted(wait);
  if (!stored) return leave(stored.error());
  if (!*stored) return Millis{0};
  log_.info("slot_created", "created the slot",
            {{"slot", note_.slot}, {"consistent_point", to_string(note_.end_lsn)},
             {"initial_rows", note_.state == ProgressState::snapshot}});
  auto started = start_from(note_);
  return started ? Millis{0} : leave(std::move(started).error());
}

// (f) From here on events flow.
Result<void> PipelineLoop::start_from(Progress progress) {
  auto id = identity();
  id.state = progress.state;
  id.position = progress.position;
  id.end_lsn = progress.end_lsn;
  id.snapshot = std::move(progress.snapshot);
  enqueued_ = std::move(id);
  delivered_sequence_ = enqueued_.sequence;
  RELAY_TRY(source_.start(enqueued_));
  source_.confirm(enqueued_.end_lsn);
  Lsn target;
  if (options_.drain && !status().drain_target) {
    RELAY_ASSIGN(target, source_.drain_target());
  }
  filling_ = &batches_[0];
  filling_->clear(kKeepBytes);
  draining_ = nullptr;
  stored_at_ = clock_.now();
  unknown_outcome_ = false;  // what was stored has been read
  state_ = State::running;
  {
    const std::lock_guard lock(status_mutex_);
    status_.acknowledged = enqueued_;
    if (target) status_.drain_target = target;
  }
  set_phase(enqueued_.state == ProgressState::snapshot ? PipelinePhase::snapshot : PipelinePhase::streaming);
  log_.info("started", "delivering",
            {{"slot", enqueued_.slot}, {"from", to_string(enqueued_.end_lsn)}, {"sequence", enqueued_.sequence}});
  return {};
}

// Who we are, with nothing delivered by this attempt yet; `sequence` goes on whatever happened before.
Progress PipelineLoop::identity() const {
  Progress p;
  p.pipeline = options_.name;
  p.cluster_id = sink_.cluster_id();
  p.system_identifier = source_state_.system_identifier;
  p.timeline = source_state_.timeline;
  p.slot = source_state_.slot_name;
  p.fingerprint = source_state_.fingerprint;
  p.sequence = enqueued_.sequence;
  p.written_at_us = clock_.unix_micros();
  return p;
}

void PipelineLoop::write_note(Progress progress, State next) {
  note_ = progress;
  draining_ = &batches_[1];
  draining_->clear(kKeepBytes);
  draining_->progress = std::move(progress);
  post(draining_);
  state_ = next;
}

// ---- the stream ------------------------------------------------------------------------------------------------------

Millis PipelineLoop::run(Millis wait) {
  if (auto taken = take_delivery(); !taken) return leave(std::move(taken).error());
  if (auto well = watch_sink(); !well) return leave(std::move(well).error());
  const bool full = filling_->full();
  const auto first = filling_->events().size();
  // With events waiting and the sink free, look once more for what has arrived, but wait for nothing.
  const bool hungry = !draining_ && filling_->at_boundary() && first > 0;
  auto step = source_.step(full ? nullptr : filling_, hungry ? Millis{0} : wait);
  if (!step) return leave(std::move(step).error());
  process_appended(first);
  if (step->server_wal_end) {
    const std::lock_guard lock(status_mutex_);
    status_.server_wal_end = std::max(status_.server_wal_end, step->server_wal_end);
  }
  if (may_hand_over(*step) || idle_progress_due(*step)) hand_over(step->idle_end_lsn);
  if (drained()) return stop();
  return Millis{0};
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
    log_.info("initial_rows_delivered", "the rows that existed before the slot are delivered",
              {{"rows", stored.snapshot.rows}});
    set_phase(PipelinePhase::streaming);
  }
  const std::lock_guard lock(status_mutex_);
  status_.acknowledged = stored;
  status_.events += batch->events().size();
  status_.bytes += batch->bytes();
  status_.batches += batch->events().empty() ? 0 : 1;
  status_.rejected += outcome->dead_letters;
  status_.last_error.reset();
  return {};
}

// Each event has its place in the sequence before any transform sees it.
void PipelineLoop::process_appended(std::size_t first) {
  auto& events = filling_->events();
  if (first == events.size()) return;
  auto sequence = enqueued_.sequence + first;
  for (auto i = first; i < events.size(); ++i) events[i].sequence = ++sequence;
  for (auto& transform : transforms_) transform->apply(*filling_, first);
}

// A batch closes as soon as the sink is free, at the end of a transaction, or inside one that passes the limit. While
// more can be read without waiting it goes on filling, up to its target: larger batches cost less per event.
bool PipelineLoop::may_hand_over(const StepResult& step) const {
  if (draining_ || filling_->empty() || !filling_->at_boundary()) return false;
  return filling_->full() || step.caught_up;
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
  if (!draining_ || clock_.now() - posted_at_ < options_.stall_release) return {};
  return fail(ErrorKind::transient, "sink_stalled",
              "delivering a batch: the sink acknowledged nothing for " +
                  std::to_string(options_.stall_release.count() / 1000) + " s; the slot is given back until it recovers",
              "look at the broker; the relay goes on by itself");
}

// All that was committed before the start is stored as delivered; what came later is left to the next run.
bool PipelineLoop::drained() const {
  const auto& stored = status_.acknowledged;
  return options_.drain && status_.drain_target && stored.state == ProgressState::streaming &&
         !stored.position.inside_transaction() && stored.end_lsn >= status_.drain_target;
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
      status_.acknowledged = batch->progress;
      status_.events += batch->events().size();
      status_.bytes += batch->bytes();
      status_.rejected += outcome->dead_letters;
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
