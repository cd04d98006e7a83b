// The start of an attempt: what the database and the sink say, who may deliver, and from where.
#include "relay/base/assert.h"
#include "relay/pipeline/error_policy.h"
#include "relay/pipeline/pipeline_loop.h"

namespace relay {

Error PipelineLoop::overtaken() const {
  return {ErrorKind::transient, "start_overtaken",
          "starting pipeline " + options_.name + ": another instance changed slot or progress meanwhile", ""};
}

// (a) What the database says, and a read-only look at progress.
Millis PipelineLoop::inspect() {
  set_phase(announced_standby_ ? PipelinePhase::standby : PipelinePhase::starting);
  auto state = source_.inspect();
  if (!state) return leave(std::move(state).error());
  source_state_ = std::move(*state);
  // A standby for the slot looked at progress when its wait began; it counts only once the lock is held. One for the
  // creation must look again: whoever created the slot holds that, and may have given the advisory lock back.
  if (announced_standby_ && acquired_for_ == AcquireFor::streaming) {
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
    if (outcome->newer_hidden)
      return leave({ErrorKind::transient, "progress_undecided",
                    action.error().message + "; but a transaction that is still open may hold a newer record",
                    "it ends by itself, at the latest with its time-out; one that hangs is found by: "
                    "kafka-transactions.sh --bootstrap-server SERVERS find-hanging --broker-id ID"});
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
  if (acquired_for_ == AcquireFor::creation && !source_state_.slot) {
    // A slot that came meanwhile is the lock from now on; whoever holds it must not be fenced.
    auto state = source_.inspect();
    if (!state) return leave(std::move(state).error());
    if (state->slot) return leave(overtaken());
  }
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
  // The lock for a creation says nothing about a slot that somebody else created meanwhile.
  if (!action) return leave(acquired_for_ == AcquireFor::creation ? overtaken() : action.error());
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
  const bool is_slot = note_.place == PlaceKind::lsn;
  log_.info(is_slot ? "slot_created" : "reader_created",
            is_slot ? "created the slot" : "created the reader of this pipeline",
            {{"slot", note_.slot}, {"consistent_point", place_text(note_.place, note_.end_lsn)},
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
  passed_target_ = false;
  unknown_outcome_ = false;  // what was stored has been read
  state_ = State::running;
  {
    const std::lock_guard lock(status_mutex_);
    status_.acknowledged = enqueued_;
    if (target) status_.drain_target = target;
  }
  set_phase(enqueued_.state == ProgressState::snapshot ? PipelinePhase::snapshot : PipelinePhase::streaming);
  log_.info("started", "delivering",
            {{"slot", enqueued_.slot},
             {"from", place_text(enqueued_.place, enqueued_.end_lsn)},
             {"sequence", enqueued_.sequence}});
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
  p.place = source_state_.place;
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

}  // namespace relay
