// The way of rows, step by step, and what goes on beside it. The start is in poll_source.cpp.
#include <poll.h>

#include <algorithm>

#include "connectors/postgres/poll_source.h"
#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

using Phase = PollRounds::Phase;

constexpr Millis kStepMost{10};  // a step comes back after this long, also while there is more to read
constexpr std::chrono::seconds kAcknowledge{1};
constexpr std::chrono::seconds kHolderFirst{3};   // before who holds delivery back is looked for
constexpr std::chrono::seconds kHolderAgain{60};  // between two warnings

}  // namespace

Result<StepResult> PollSource::step(Batch* batch, Millis wait) {
  RELAY_ASSERT(now_.session);
  RELAY_TRY(serve());
  StepResult result;
  if (!batch || !now_.started || (batch->full() && batch->at_boundary())) {
    RELAY_TRY(wait_for(Listen::nothing, wait));
    return result;
  }
  const auto before = batch->events().size();
  RELAY_ASSIGN(bool moved, go_on(*batch));
  if (!moved && wait > Millis{0}) {
    RELAY_TRY(wait_for(Listen::rows, until_due(wait)));
    RELAY_ASSIGN(moved, go_on(*batch));
  }
  const auto& rounds = *now_.rounds;
  const bool between = rounds.phase() == Phase::idle || rounds.phase() == Phase::waiting;
  result.received = batch->events().size() != before;
  result.caught_up = between;
  result.server_wal_end = Lsn{rounds.newest()};
  if (between && !now_.initial) result.passed = Lsn{rounds.passed()};
  result.held_back = now_.held_back;
  return result;
}

Result<bool> PollSource::go_on(Batch& batch) {
  const auto until = clock_.now() + kStepMost;
  bool moved = false;
  for (;;) {
    RELAY_ASSIGN(const bool again, go_on_once(batch));
    moved |= again;
    if (!again || clock_.now() >= until || (batch.full() && batch.at_boundary())) return moved;
  }
}

// False when nothing can be done without waiting.
Result<bool> PollSource::go_on_once(Batch& batch) {
  auto& rounds = *now_.rounds;
  const auto now = clock_.now();
  if (rounds.phase() == Phase::reading) return read_rows(batch);
  if (now < rounds.due()) return false;
  const auto before = rounds.phase();
  RELAY_TRY(rounds.advance(now));
  if (before == Phase::waiting || rounds.phase() == Phase::waiting) RELAY_TRY(watch_holder());
  if (before == Phase::settling && rounds.phase() == Phase::reading) RELAY_TRY(mark(batch));
  return rounds.phase() != before;
}

// Phase reading: the query under way, or the next page. What comes is marked only when it is known to be on disk.
Result<bool> PollSource::read_rows(Batch& batch) {
  auto& rounds = *now_.rounds;
  if (!now_.reader->reading()) {
    const auto limit = batch.events_to_target();
    if (limit == 0 || batch.at_target()) return false;
    RELAY_TRY(now_.reader->begin_page(rounds.position(), rounds.upper(), limit));
  }
  const auto before = batch.events().size();
  auto read = now_.reader->read(batch);
  if (!read) return read_failed(std::move(read).error());
  now_.unmarked |= batch.events().size() != before;
  if (*read == PollReader::Read::would_block) return false;
  now_.query_ended = *read == PollReader::Read::end;
  now_.read_any = true;
  if (!now_.unmarked) {
    RELAY_TRY(end_query(batch));
    return true;
  }
  RELAY_TRY(rounds.settle(now_.initial ? rounds.position() : now_.reader->last().commit_lsn.value, clock_.now()));
  if (rounds.phase() == Phase::reading) RELAY_TRY(mark(batch));
  return true;
}

Result<void> PollSource::mark(Batch& batch) {
  now_.unmarked = false;
  if (now_.initial) {
    batch.progress.state = ProgressState::snapshot;
    batch.progress.snapshot = now_.reader->initial_progress();
    initial_rows_.store(batch.progress.snapshot.rows, std::memory_order_relaxed);
    batch.mark_boundary(Position{}, Lsn{now_.rounds->position()});
  } else {
    batch.mark_boundary(now_.reader->last(), now_.reader->last().end_lsn);
  }
  return end_query(batch);
}

Result<void> PollSource::end_query(Batch& batch) {
  if (!std::exchange(now_.query_ended, false)) return {};
  if (now_.initial)
    finish_initial(batch);
  else if (now_.reader->page_was_short())
    now_.rounds->finish(clock_.now());
  return {};
}

void PollSource::finish_initial(Batch& batch) {
  const auto progress = now_.reader->initial_progress();
  batch.progress.state = ProgressState::streaming;
  batch.progress.snapshot = progress;
  batch.mark_boundary(Position{}, Lsn{now_.rounds->position()});
  now_.initial = false;
  now_.rounds->begin(now_.rounds->position(), clock_.now());
  log_.info("initial_rows_read", "the rows from before the relay's columns are read; the others follow",
            {{"rows", progress.rows}});
}

// A statement that went well a moment ago and is refused now: somebody altered the table, and the checks of the next
// start tell what it is. At the first time that would go round for ever.
tl::unexpected<Error> PollSource::read_failed(Error error) {
  if (now_.read_any && error.code == "statement_refused") {
    error.kind = ErrorKind::transient;
    error.code = "outbox_table_changed";
  }
  return fail(std::move(error));
}

// ---- beside it
// -------------------------------------------------------------------------------------------------------

Result<void> PollSource::serve() {
  if (!now_.session->alive())
    return fail(
        ErrorKind::transient, "connection_lost",
        "reading for pipeline " + config_.common.pipeline + ": the server closed the connection that holds the lock");
  if (!now_.started) return {};
  RELAY_TRY(acknowledge());
  purge();
  return {};
}

// Not at each batch: the place in the sink's progress counts, this one only keeps the purge from waiting.
Result<void> PollSource::acknowledge() {
  const auto now = clock_.now();
  if (now_.confirmed <= now_.acknowledged || now < now_.acknowledge_due) return {};
  RELAY_TRY(now_.session->acknowledge(now_.confirmed));
  now_.acknowledged = now_.confirmed;
  now_.acknowledge_due = now + kAcknowledge;
  now_.purge_wanted = true;
  return {};
}

void PollSource::purge() {
  const auto now = clock_.now();
  if (!config_.purge_interval || !now_.purge_wanted || now < now_.purge_due) return;
  now_.purge_due = now + *config_.purge_interval;
  now_.purge_wanted = false;
  if (auto purged = now_.session->purge(); !purged) log_.failure(LogLevel::warn, purged.error());
}

Result<void> PollSource::watch_holder() {
  const auto& rounds = *now_.rounds;
  const auto now = clock_.now();
  if (rounds.phase() != Phase::waiting) {
    if (!now_.held_back.empty()) log_.info("delivery_goes_on", "what held delivery back has ended");
    now_.held_back.clear();
    now_.holder_due = SteadyTime{};
    return {};
  }
  if (now - rounds.waiting_since() < kHolderFirst || now < now_.holder_due) return {};
  RELAY_ASSIGN(const auto holder, holding_transaction(now_.session->sql(), rounds.waits_for()));
  if (!holder) return {};  // it ended just now
  now_.holder_due = now + kHolderAgain;
  now_.held_back = holder->text();
  log_.warn(
      "delivery_held_back", "committed rows wait for a transaction that is older: " + now_.held_back,
      {{"up_to_id", rounds.upper()},
       {"waiting_seconds", std::chrono::duration_cast<std::chrono::seconds>(now - rounds.waiting_since()).count()},
       {"hint", "end it, or wait: " + holder->remedy()}});
  return {};
}

Millis PollSource::until_due(Millis most) const {
  if (now_.rounds->phase() == Phase::reading) return most;
  return std::clamp(std::chrono::ceil<Millis>(now_.rounds->due() - clock_.now()), Millis{0}, most);
}

// Waits for rows or a notification, if they are to be taken, a wake, or the end of the connection; for `wait` at most.
Result<void> PollSource::wait_for(Listen what, Millis wait) {
  pollfd fds[3] = {{waker_.fd(), POLLIN, 0}, {now_.session->socket(), POLLIN, 0}, {-1, 0, 0}};
  const bool reading = now_.reader && now_.reader->reading();
  const bool rows = what == Listen::rows && reading && now_.rounds->phase() == Phase::reading;
  const bool channel = what == Listen::rows && now_.reader && !reading && !config_.notify_channel.empty();
  if (rows || channel) {
    const int events = now_.reader->wants_write() ? POLLIN | POLLOUT : POLLIN;
    fds[2] = {now_.reader->socket(), static_cast<short>(events), 0};
  }
  if (::poll(fds, 3, static_cast<int>(wait.count())) <= 0) return {};
  if (fds[0].revents) waker_.clear();
  if (fds[1].revents) RELAY_TRY(serve());
  if (!channel || !fds[2].revents) return {};
  RELAY_ASSIGN(const bool notified, now_.reader->notified());
  if (notified) now_.rounds->look_now(clock_.now());
  return {};
}

}  // namespace relay::connectors::postgres
