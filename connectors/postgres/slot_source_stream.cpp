// Reading, answering and watching, step by step. The start is in slot_source.cpp.
#include <poll.h>

#include <algorithm>
#include <thread>

#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/slot_source.h"
#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

// When so many messages came at once, more are on their way: a short sleep lets them gather, so that they are read by
// one system call instead of one each. Never when caught up: then every message is taken as it comes.
constexpr std::size_t kDense = 12;
constexpr std::chrono::microseconds kGather{200};
// A step comes back after this long, also while there is more to read.
constexpr Millis kStepMost{10};
constexpr std::chrono::seconds kPublicationCheck{30};
constexpr Millis kCanaryCheck{20};
constexpr Millis kJustNow{1'000};

}  // namespace

Result<StepResult> SlotSource::step(Batch* batch, Millis wait) {
  RELAY_ASSERT(now_.sql);
  RELAY_TRY(serve());
  if (batch && now_.started && !batch->full())
    return now_.snapshot ? step_snapshot(*batch, wait) : step_stream(*batch, wait);
  now_.reading = false;
  RELAY_TRY(wait_for(Listen::nothing, wait));
  StepResult result;
  result.server_wal_end = now_.server_wal_end;
  return result;
}

Result<StepResult> SlotSource::step_stream(Batch& batch, Millis wait) {
  if (!now_.reading) silence_.listen_from(clock_.now());
  now_.reading = true;
  StepResult result;
  if (now_.refused) return hold_refusal(batch, wait);
  auto burst = read_stream(batch, result.received);
  if (burst && *burst == Burst::blocked && !result.received && wait > Millis{0}) {
    RELAY_TRY(wait_for(Listen::stream, wait));
    burst = read_stream(batch, result.received);
  }
  if (!burst) return refuse_after(std::move(burst).error(), batch);
  RELAY_TRY(watch_silence());
  result.caught_up = *burst == Burst::blocked;
  if (now_.sent_us) result.behind = std::chrono::microseconds(now_.sent_us - stream_.cursor().transaction().commit_time_us);
  result.server_wal_end = now_.server_wal_end;
  result.reply_wanted = now_.reply_wanted_at > now_.confirmed;
  if (result.caught_up && !stream_.cursor().in_transaction()) result.idle_end_lsn = stream_.cursor().end_lsn();
  return result;
}

// What can be read no further is still no reason to hold back what came before it: a table whose column was renamed has
// rows from before, which only the old configuration can deliver. So a refusal waits until the batch is handed over.
Result<StepResult> SlotSource::refuse_after(Error error, Batch& batch) {
  if (error.kind != ErrorKind::fatal && error.kind != ErrorKind::corrupt) return fail(std::move(error));
  batch.truncate_to_boundary();
  if (batch.empty()) return fail(std::move(error));
  now_.refused = std::move(error);
  return hold_refusal(batch, Millis{0});
}

Result<StepResult> SlotSource::hold_refusal(Batch& batch, Millis wait) {
  if (batch.empty()) return fail(*now_.refused);
  RELAY_TRY(wait_for(Listen::nothing, wait));
  StepResult result;
  result.caught_up = true;
  result.server_wal_end = now_.server_wal_end;
  return result;
}

// Bursts, until one is small: then we have caught up.
Result<SlotSource::Burst> SlotSource::read_stream(Batch& batch, bool& received) {
  const auto until = clock_.now() + kStepMost;
  for (;;) {
    std::size_t messages = 0;
    RELAY_ASSIGN(const auto burst, read_burst(batch, until, messages));
    if (messages > 0) {
      received = true;
      silence_.heard(clock_.now());
      silence_.reached(stream_.cursor().end_lsn());
    }
    if (burst != Burst::blocked || messages < kDense || clock_.now() >= until) return burst;
    std::this_thread::sleep_for(kGather);
  }
}

Result<SlotSource::Burst> SlotSource::read_burst(Batch& batch, SteadyTime until, std::size_t& messages) {
  std::string_view message;
  while (!batch.full()) {
    if (stream_.has_more()) {
      RELAY_TRY(stream_.go_on(batch));
      continue;
    }
    if (messages % 64 == 63 && clock_.now() >= until) return Burst::time_is_up;
    RELAY_ASSIGN(const auto received, now_.session->receive(message));
    if (now_.session->publication_skipped()) return publication_skipped();
    if (received == ReplicationSession::Received::would_block) return Burst::blocked;
    ++messages;
    RELAY_TRY(take(message, batch));
  }
  return Burst::full;
}

Result<void> SlotSource::take(std::string_view message, Batch& batch) {
  RELAY_ASSIGN(const auto decoded, decode_server_message(message));
  if (const auto* data = std::get_if<XLogData>(&decoded)) {
    now_.server_wal_end = std::max(now_.server_wal_end, data->wal_end);
    now_.sent_us = pgoutput::unix_micros(data->send_time);
    return stream_.receive(*data, batch);
  }
  const auto& keepalive = std::get<Keepalive>(decoded);
  now_.server_wal_end = std::max(now_.server_wal_end, keepalive.wal_end);
  if (keepalive.reply_requested) {
    now_.reply_wanted_at = keepalive.wal_end;
    now_.answer_now = true;
  }
  return stream_.receive(keepalive);
}

Result<StepResult> SlotSource::step_snapshot(Batch& batch, Millis wait) {
  now_.reading = false;
  StepResult result;
  const auto before = batch.events().size();
  RELAY_ASSIGN(auto read, read_snapshot(batch));
  if (read == SnapshotReader::Read::would_block && batch.events().size() == before && wait > Millis{0}) {
    RELAY_TRY(wait_for(Listen::snapshot, wait));
    RELAY_ASSIGN(read, read_snapshot(batch));
  }
  if (read == SnapshotReader::Read::finished) finish_snapshot(batch);
  result.received = batch.events().size() != before || read == SnapshotReader::Read::finished;
  result.caught_up = read == SnapshotReader::Read::would_block;
  result.behind = std::chrono::hours(1);
  result.server_wal_end = now_.server_wal_end;
  return result;
}

Result<SnapshotReader::Read> SlotSource::read_snapshot(Batch& batch) {
  const auto until = clock_.now() + kStepMost;
  for (;;) {
    const auto before = batch.events().size();
    RELAY_ASSIGN(const auto read, now_.snapshot->read(batch));
    snapshot_rows_.store(now_.snapshot->progress().rows, std::memory_order_relaxed);
    const auto rows = batch.events().size() - before;
    if (read != SnapshotReader::Read::would_block || rows < kDense || clock_.now() >= until) return read;
    std::this_thread::sleep_for(kGather);
  }
}

// Every existing row is in a batch: the stream follows from the slot's consistent point, where the rows ended.
void SlotSource::finish_snapshot(Batch& batch) {
  auto& from = now_.from;
  from.state = ProgressState::streaming;
  from.snapshot = now_.snapshot->progress();
  batch.progress.state = from.state;
  batch.progress.snapshot = from.snapshot;
  batch.mark_boundary(Position{}, from.end_lsn);
  now_.snapshot.reset();
  stream_.begin_stream(from, now_.slot_confirmed);
  log_.info("initial_rows_read", "the rows that existed before the slot are read; the stream follows",
            {{"rows", from.snapshot.rows}, {"resumed", static_cast<std::uint64_t>(from.snapshot.resumed)}});
}

// ---- beside the stream
// -----------------------------------------------------------------------------------------------

Result<void> SlotSource::serve() {
  // Waiting notices the canary at once; this is for a stream so dense that nothing waits.
  if (clock_.now() >= now_.canary_due) RELAY_TRY(watch_canary());
  if (!now_.streaming) return {};
  if (publication_check_is_due()) RELAY_TRY(recheck_publication());
  return answer_server();
}

// The question waits for its answer, so it is asked only of a server that said something just now; one that did not is
// asked to, with the next status update.
bool SlotSource::publication_check_is_due() {
  const auto now = clock_.now();
  if (now < now_.publication_due || !now_.reading) return false;
  if (silence_.quiet_for(now) <= kJustNow) return true;
  now_.ask = true;
  return false;
}

// A server that shuts down ends ordinary sessions first and then waits for its walsenders to deliver everything, which
// would keep it up, with every application locked out, until the sink has caught up. So the stream is closed at once.
Result<void> SlotSource::watch_canary() {
  now_.canary_due = clock_.now() + kCanaryCheck;
  if (now_.sql->alive()) return {};
  now_.session.reset();
  now_.snapshot.reset();
  return fail(ErrorKind::transient, "database_shutting_down",
              "watching the database " + describe_target(config_.connection) +
                  ": it closed the plain session beside the stream; the slot is given back at once");
}

Result<void> SlotSource::watch_silence() {
  if (!silence_.is_over(clock_.now())) return {};
  const auto seconds = std::to_string(silence_.limit().count() / 1000);
  silence_.timed_out();
  return fail(ErrorKind::transient, "database_silent",
              "reading slot " + config_.slot + ": the server did not answer for " + seconds + " s",
              "look whether the server or something between is overloaded or frozen; the relay connects anew");
}

// On a timer, not on request: a request waits behind data that is not read yet.
Result<void> SlotSource::answer_server() {
  const auto now = clock_.now();
  if (now_.session->wants_write()) RELAY_TRY(now_.session->flush());
  if (!now_.answer_now && now < now_.status_due) return {};
  const bool ask = now_.ask || (now_.reading && silence_.should_ask(now));
  RELAY_TRY(now_.session->send_status(now_.confirmed, clock_.unix_micros(), ask));
  now_.answer_now = now_.ask = false;
  now_.status_due = now + now_.status_interval;
  return {};
}

Result<void> SlotSource::recheck_publication() {
  now_.publication_due = clock_.now() + kPublicationCheck;
  auto checked = [&]() -> Result<void> {
    RELAY_ASSIGN(const auto unpublished, check_publication(*now_.sql, config_));
    warn_of_unpublished(unpublished);
    return note_wal_end();
  }();
  if (checked) return {};
  RELAY_TRY(watch_canary());
  if (checked.error().kind != ErrorKind::transient) return checked;
  log_.failure(LogLevel::debug, checked.error());  // asked again soon
  return {};
}

// Somebody made a table that a pattern names: no reason to stop the others.
void SlotSource::warn_of_unpublished(const std::vector<std::string>& tables) {
  for (const auto& table : tables)
    if (warned_of_.insert(table).second)
      log_.warn("publication_table_missing",
                "a table matches a configured pattern and is not in the publication, so its changes are not delivered",
                {{"table", table}, {"publication", config_.publication}});
}

tl::unexpected<Error> SlotSource::publication_skipped() const {
  return fail(ErrorKind::fatal, "publication_missing",
              "reading slot " + config_.slot + ": publication " + config_.publication +
                  " did not exist when the changes to be read now were made; the server would leave them out",
              "a publication made later does not help for them; to accept their loss and begin anew: "
              "outbox-relay progress reset -c FILE --pipeline " +
                  config_.pipeline);
}

// Waits for something to read, a wake, the canary or the next status update, for `wait` at most.
Result<void> SlotSource::wait_for(Listen what, Millis wait) {
  auto most = wait;
  if (now_.streaming) {
    const auto due = std::chrono::ceil<Millis>(now_.status_due - clock_.now());
    most = std::clamp(due, Millis{0}, wait);
  }
  pollfd fds[4] = {{waker_.fd(), POLLIN, 0}, {now_.sql->socket(), POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}};
  if (now_.streaming) {
    // While the stream is not read, its end is noticed all the same.
    int events = what == Listen::stream ? POLLIN : POLLRDHUP;
    if (now_.session->wants_write()) events |= POLLOUT;
    fds[2] = {now_.session->socket(), static_cast<short>(events), 0};
  }
  if (what == Listen::snapshot) {
    const int events = now_.snapshot->wants_write() ? POLLIN | POLLOUT : POLLIN;
    fds[3] = {now_.snapshot->socket(), static_cast<short>(events), 0};
  }
  if (::poll(fds, 4, static_cast<int>(most.count())) > 0) {
    if (fds[0].revents) waker_.clear();
    if (fds[1].revents) RELAY_TRY(watch_canary());
    if (what != Listen::stream && (fds[2].revents & (POLLRDHUP | POLLHUP | POLLERR)))
      return fail(ErrorKind::transient, "connection_lost",
                  "answering the server of slot " + config_.slot + ": it closed the replication connection");
  }
  return now_.streaming ? answer_server() : Result<void>{};
}

}  // namespace relay::connectors::postgres
