#include "sim_world.h"

#include <algorithm>

#include "relay/base/assert.h"

namespace relay::sim {
namespace {

Lsn change_lsn(const Transaction& t, std::size_t row) { return {t.commit_lsn.value - 8 * (t.rows.size() - row / 2) - 8}; }
std::uint32_t ordinal(std::size_t row) { return static_cast<std::uint32_t>(row % 2 + 1); }

tl::unexpected<Error> gone() { return fail(ErrorKind::transient, "database_unreachable", "the connection broke"); }

void add_event(Batch& batch, const Row& row, Lsn commit_lsn) {
  auto& a = batch.arena();
  auto& e = batch.add(row.id.size() + row.key.size());
  e.id = a.copy(row.id);
  e.aggregate_id = a.copy(row.key);
  e.payload = a.copy(row.poison ? "poison" : "{}");
  e.commit_lsn = commit_lsn;
}

}  // namespace

void Database::commit(std::vector<Row> rows, Millis behind) {
  Transaction t;
  t.commit_lsn = {wal_end.value + 16 * rows.size() + 16};
  t.end_lsn = {t.commit_lsn.value + 8};
  t.xid = next_xid++;
  t.behind = behind;
  t.rows = std::move(rows);
  wal_end = t.end_lsn;
  log.push_back(std::move(t));
}

void Database::crash() {
  ++epoch;
  creation_lock = 0;
  if (slot) {
    slot->confirmed = slot->durable;
    slot->holder = 0;
  }
}

Result<void> SimSource::connected() const {
  if (!db_.up || epoch_ != db_.epoch) return gone();
  return {};
}

Result<SourceState> SimSource::inspect() {
  if (!db_.up) return gone();
  if (epoch_ < 0) epoch_ = db_.epoch;
  RELAY_TRY(connected());
  SourceState s;
  s.system_identifier = db_.system_identifier;
  s.timeline = db_.timeline;
  s.history = db_.history;
  s.wal_end = db_.wal_end;
  s.slot_name = "sim_slot";
  if (db_.slot) s.slot = SlotState{db_.slot->confirmed, db_.slot->holder != 0, db_.slot->holder};
  s.fingerprint = "sim";
  return s;
}

Result<void> SimSource::acquire(AcquireFor what) {
  RELAY_TRY(connected());
  auto& lock = what == AcquireFor::creation ? db_.creation_lock : db_.slot ? db_.slot->holder : db_.creation_lock;
  if (what == AcquireFor::streaming && !db_.slot)
    return fail(ErrorKind::fatal, "slot_missing", "the slot is gone");
  if (lock != 0 && lock != id_) {
    release();
    return fail(ErrorKind::busy, "slot_active", "held by another");
  }
  lock = id_;
  return {};
}

Result<StartPoint> SimSource::create() {
  RELAY_TRY(connected());
  RELAY_ASSERT(!db_.slot);
  Database::Slot slot;
  slot.confirmed = slot.durable = slot.created_at = db_.wal_end;
  slot.holder = id_;
  db_.slot = slot;
  db_.creation_lock = 0;
  StartPoint start;
  start.consistent_point = db_.wal_end;
  if (initial_read_) {
    start.snapshot.emplace();
    start.snapshot->consistent_point = db_.wal_end;
    start.snapshot->snapshot_text = "1:1:";
  }
  return start;
}

Result<void> SimSource::drop_slot() {
  RELAY_TRY(connected());
  db_.slot.reset();
  return {};
}

Result<void> SimSource::start(const Progress& from) {
  RELAY_TRY(connected());
  from_ = from;
  started_ = true;
  initial_next_ = from.state == ProgressState::snapshot ? from.snapshot.rows : db_.initial.size();
  txn_ = row_ = 0;
  const auto& p = from.position;
  // The server begins with the first transaction whose commit record is not below the confirmed position.
  while (txn_ < db_.log.size() && db_.log[txn_].commit_lsn < db_.slot->confirmed) ++txn_;
  while (txn_ < db_.log.size() && db_.log[txn_].commit_lsn < p.commit_lsn) ++txn_;
  if (txn_ < db_.log.size() && p.commit_lsn == db_.log[txn_].commit_lsn) {
    if (!p.inside_transaction()) {
      ++txn_;
    } else {
      const auto& t = db_.log[txn_];
      while (row_ < t.rows.size() && !(change_lsn(t, row_) == p.change_lsn && ordinal(row_) == p.ordinal)) ++row_;
      if (row_ == t.rows.size()) return fail(ErrorKind::corrupt, "position_not_found", "not met");
      ++row_;
    }
  }
  return {};
}

bool SimSource::read_initial(Batch& batch) {
  for (std::size_t n = 0; n < rows_per_step && initial_next_ < db_.initial.size() && !batch.full(); ++n) {
    add_event(batch, db_.initial[initial_next_++], from_.snapshot.consistent_point);
    batch.mark_boundary(Position{}, from_.snapshot.consistent_point);
    batch.progress.state = ProgressState::snapshot;
    batch.progress.snapshot = from_.snapshot;
    batch.progress.snapshot.rows = initial_next_;
  }
  if (initial_next_ < db_.initial.size()) return false;
  from_.state = ProgressState::streaming;
  batch.mark_boundary(Position{}, from_.snapshot.consistent_point);
  batch.progress.state = ProgressState::streaming;
  batch.progress.snapshot = from_.snapshot;
  batch.progress.snapshot.rows = initial_next_;
  return true;
}

Result<void> SimSource::read_stream(Batch& batch, std::size_t most) {
  for (std::size_t n = 0; n < most && txn_ < db_.log.size() && !batch.full(); ++n) {
    const auto& t = db_.log[txn_];
    behind_ = t.behind;
    Position at{t.commit_lsn, {}, {}, 0, t.xid, 0};
    if (row_ < t.rows.size()) {
      if (t.rows[row_].ours) add_event(batch, t.rows[row_], t.commit_lsn);
      at.change_lsn = change_lsn(t, row_);
      at.ordinal = ordinal(row_);
      ++row_;
      if (batch.full()) batch.mark_boundary(at, {});
    } else {
      at.end_lsn = t.end_lsn;
      batch.mark_boundary(at, t.end_lsn);
      ++txn_;
      row_ = 0;
    }
  }
  return {};
}

Result<StepResult> SimSource::step(Batch* batch, Millis) {
  RELAY_TRY(connected());
  StepResult r;
  r.server_wal_end = db_.wal_end;
  if (!started_ || !batch) return r;
  const auto before = batch->events().size();
  if (from_.state != ProgressState::snapshot || read_initial(*batch)) RELAY_TRY(read_stream(*batch, rows_per_step));
  r.received = batch->events().size() != before;
  r.behind = behind_;
  r.caught_up = from_.state == ProgressState::streaming && txn_ == db_.log.size();
  if (r.caught_up && row_ == 0) r.idle_end_lsn = db_.wal_end;
  return r;
}

void SimSource::confirm(Lsn end_lsn) {
  if (!connected() || !db_.slot || db_.slot->holder != id_) return;
  RELAY_ASSERT(end_lsn >= db_.slot->created_at);
  db_.slot->confirmed = std::max(db_.slot->confirmed, end_lsn);
}

void SimSource::release() noexcept {
  if (epoch_ == db_.epoch) {
    if (db_.slot && db_.slot->holder == id_) db_.slot->holder = 0;
    if (db_.creation_lock == id_) db_.creation_lock = 0;
  }
  epoch_ = -1;
  started_ = false;
}

// ---- the broker ------------------------------------------------------------------------------------------------------

Result<PeekedProgress> SimSink::peek_progress(Millis, std::stop_token) {
  if (!broker_.up) return fail(ErrorKind::transient, "broker_unreachable", "down");
  if (random_() % 4 != 0) return PeekedProgress{broker_.progress};
  // The markers of the last transaction are not written yet, or another one is open.
  const auto& records = broker_.progress_log;
  if (random_() % 2 || records.empty()) return PeekedProgress{broker_.progress, true};
  if (records.size() == 1) return PeekedProgress{std::nullopt, true};
  return PeekedProgress{records[records.size() - 2], true};
}

Result<void> SimSink::open(Millis, std::stop_token) {
  if (!broker_.up) return fail(ErrorKind::transient, "broker_unreachable", "down");
  epoch_ = ++broker_.producer_epoch;
  batch_ = nullptr;
  return {};
}

Result<std::optional<Progress>> SimSink::read_progress(Millis, std::stop_token) {
  if (!broker_.up) return fail(ErrorKind::transient, "broker_unreachable", "down");
  return broker_.progress;
}

void SimSink::submit(const Batch& batch) {
  batch_ = &batch;
  steps_left_ = static_cast<int>(random_() % 4);
  fate_ = Fate::done;
  if (static_cast<int>(random_() % 100) < fault_percent_) fate_ = static_cast<Fate>(1 + random_() % 3);
}

void SimSink::apply() {
  for (const auto& e : batch_->events()) {
    if (e.left_out()) continue;
    broker_.log.push_back({std::string(e.id), std::string(e.aggregate_id),
                           e.disposition == Disposition::dead_letter ? "dead_letters" : "events", e.sequence});
  }
  broker_.progress = batch_->progress;
  broker_.progress_log.push_back(batch_->progress);
}

std::optional<Delivery> SimSink::step(Millis) {
  if (!batch_) return std::nullopt;
  if (steps_left_-- > 0) return std::nullopt;
  const auto* batch = batch_;
  if (epoch_ != broker_.producer_epoch) {
    batch_ = nullptr;
    return Delivery::failed(Error{ErrorKind::fenced, "fenced", "another producer took over", ""});
  }
  if (!broker_.up || broker_.mute) return std::nullopt;
  Delivery rejected;
  for (std::size_t i = 0; i < batch->events().size(); ++i)
    if (batch->events()[i].payload == "poison" && batch->events()[i].disposition == Disposition::deliver)
      if (rejected.rejected.empty() || !broker_.one_rejection_at_a_time)
        rejected.rejected.push_back({i, "message_too_large", "refused by the broker"});
  if (!rejected.rejected.empty()) {
    batch_ = nullptr;
    rejected.kind = Delivery::Kind::rejected;
    return rejected;
  }
  switch (fate_) {
    case Fate::done: apply(); batch_ = nullptr; return Delivery::durable();
    case Fate::refused:
      batch_ = nullptr;
      return Delivery::failed(Error{ErrorKind::transient, "aborted", "the broker refused the commit", ""});
    case Fate::applied_answer_lost:
      apply();
      batch_ = nullptr;
      return Delivery::failed(Error{ErrorKind::transient, "timed_out", "no answer to the commit", ""}, true);
    case Fate::never_answered:
      if (random_() % 2 && steps_left_ == -1) apply();
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace relay::sim
