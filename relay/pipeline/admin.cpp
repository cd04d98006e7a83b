// The commands' way through the protocol: look, take the lock, fence, change one record, give the lock back.
#include <algorithm>
#include <thread>

#include "relay/pipeline/pipeline.h"
#include "relay/pipeline/resume.h"

namespace relay {
namespace {

constexpr Millis kSlice{200};

Result<std::optional<Progress>> stored(const AdminParts& parts, bool opened, Millis timeout, std::stop_token stop) {
  if (parts.store) return parts.store->load(parts.pipeline);
  if (opened) return parts.sink.read_progress(timeout, stop);
  // A person decides by what is shown: a transaction that is open gets the chance to end.
  for (auto waited = Millis{0};; waited += kSlice) {
    RELAY_ASSIGN(auto peeked, parts.sink.peek_progress(timeout, stop));
    if (!peeked.newer_hidden) return std::move(peeked.progress);
    if (waited >= timeout || stop.stop_requested())
      return fail(ErrorKind::transient, "progress_undecided",
                  "reading the stored progress of pipeline " + parts.pipeline +
                      ": a transaction that is still open may hold a newer record",
                  "it ends by itself, at the latest with its time-out; one that hangs is found by: "
                  "kafka-transactions.sh --bootstrap-server SERVERS find-hanging --broker-id ID");
    std::this_thread::sleep_for(kSlice);
  }
}

Result<void> store(const AdminParts& parts, const Progress& progress, Millis timeout) {
  if (parts.store) return parts.store->save(progress);
  Batch batch;
  batch.progress = progress;
  parts.sink.submit(batch);
  for (Millis waited{0}; waited < timeout; waited += kSlice)
    if (auto delivery = parts.sink.step(kSlice)) {
      if (delivery->kind == Delivery::Kind::durable) return {};
      parts.sink.close();
      return fail(std::move(delivery->error));
    }
  parts.sink.close();
  return fail(ErrorKind::transient, "sink_stalled",
              "storing the progress record: the sink did not answer within " + std::to_string(timeout.count() / 1000) + " s",
              "look at the broker, then repeat the command; whether the record was stored shows: outbox-relay progress show");
}

// Gives back whatever was taken, on every way out.
class Release {
 public:
  explicit Release(const AdminParts& parts) : parts_(parts) {}
  ~Release() {
    parts_.sink.close();
    parts_.source.release();
  }
  Release(const Release&) = delete;
  Release& operator=(const Release&) = delete;

 private:
  const AdminParts& parts_;
};

// Only the lock's holder may fence.
Result<std::optional<Progress>> take_over(const AdminParts& parts, AcquireFor what, Millis timeout, std::stop_token stop) {
  RELAY_TRY(parts.source.acquire(what));
  RELAY_TRY(parts.sink.open(timeout, stop));
  return stored(parts, true, timeout, stop);
}

Progress identity(const AdminParts& parts, const SourceState& state, const std::optional<Progress>& before) {
  Progress p;
  p.pipeline = parts.pipeline;
  p.cluster_id = parts.sink.cluster_id();
  p.system_identifier = state.system_identifier;
  p.timeline = state.timeline;
  p.slot = state.slot_name;
  p.place = state.place;
  p.fingerprint = state.fingerprint;
  p.sequence = before ? before->sequence : 0;
  p.written_at_us = system_clock().unix_micros();
  return p;
}

std::string adoption_consequence(const SourceState& state, const std::optional<Progress>& before) {
  const auto at = state.slot->confirmed_flush;
  const auto text = [&](Lsn place) { return place_text(state.place, place); };
  if (!before || before->state == ProgressState::reset)
    return "delivery begins at " + text(at) + "; nothing committed before it is delivered by this pipeline";
  const auto stored = place_text(before->place, before->end_lsn);
  if (before->system_identifier != state.system_identifier)
    return "delivery begins at " + text(at) + " of another PostgreSQL cluster than the stored progress (" +
           stored + "); events may be lost or come twice, depending on what that cluster holds";
  if (before->place != state.place)
    return "delivery begins at " + text(at) + "; what was delivered is known only up to " +
           stored + ", which counts something else: events between may be lost or come twice";
  if (state.place == PlaceKind::row_id && before->slot != state.slot_name)
    return "ids come from another sequence than those of the stored progress (" + stored + "); delivery begins at " + text(at) +
           ": rows at or below that, and rows without an id, are not delivered, whether they were before or not";
  if (before->state == ProgressState::snapshot)
    return "the initial read ends here: existing rows after the " + std::to_string(before->snapshot.rows) +
           " that were delivered are lost for this pipeline";
  if (at > before->end_lsn)
    return "events committed between " + stored + " and " + text(at) +
           " are lost for this pipeline";
  if (at < before->end_lsn)
    return "events committed between " + text(at) + " and " + stored + " come a second time";
  if (before->position.inside_transaction())
    return "the transaction with commit LSN " + to_string(before->position.commit_lsn) +
           " was delivered in part; that part comes a second time";
  return "nothing is lost and nothing comes twice";
}

tl::unexpected<Error> no_place_to_adopt(const AdminParts& parts, const SourceState& state) {
  const auto hint = "to begin anew instead: outbox-relay progress reset -c FILE --pipeline " + parts.pipeline;
  if (state.place == PlaceKind::row_id)
    return fail(ErrorKind::fatal, "reader_missing",
                "adopting the position of the reader " + parts.pipeline + ": outbox_relay.reader has no such row", hint);
  return fail(ErrorKind::fatal, "slot_missing",
              "adopting the position of slot " + state.slot_name + ": there is no such slot", hint);
}

}  // namespace

// Beside a relay at work there is nearly always an open transaction; what is shown is what was committed last.
Result<std::optional<Progress>> show_progress(const AdminParts& parts, Millis timeout, std::stop_token stop) {
  if (parts.store) return parts.store->load(parts.pipeline);
  RELAY_ASSIGN(auto peeked, parts.sink.peek_progress(timeout, stop));
  return std::move(peeked.progress);
}

Result<Progress> create_slot(const AdminParts& parts, Millis timeout, std::stop_token stop) {
  const Release release(parts);
  const std::stop_callback on_stop(stop, [&] { parts.source.give_up(); });
  SourceState state;
  RELAY_ASSIGN(state, parts.source.inspect());
  std::optional<Progress> before;
  RELAY_ASSIGN(before, stored(parts, false, timeout, stop));
  StartAction action;
  RELAY_ASSIGN(action, decide_start(state, before, parts.pipeline, parts.sink.cluster_id()));
  if (action == StartAction::resume)
    return fail(ErrorKind::fatal, "slot_exists",
                std::string(state.place == PlaceKind::row_id ? "creating the reader of " : "creating slot ") +
                    state.slot_name + ": it exists and its progress is stored",
                "nothing to do; start the relay with: outbox-relay run -c FILE");
  RELAY_ASSIGN(before, take_over(parts, AcquireFor::creation, timeout, stop));
  RELAY_ASSIGN(state, parts.source.inspect());
  RELAY_ASSIGN(action, decide_start(state, before, parts.pipeline, parts.sink.cluster_id()));
  auto note = identity(parts, state, before);
  note.state = ProgressState::creating;
  RELAY_TRY(store(parts, note, timeout));
  if (action == StartAction::recreate) RELAY_TRY(parts.source.drop_slot());
  StartPoint start;
  RELAY_ASSIGN(start, parts.source.create());
  note.state = start.snapshot ? ProgressState::snapshot : ProgressState::streaming;
  if (start.snapshot) note.snapshot = *start.snapshot;
  note.end_lsn = start.consistent_point;
  RELAY_TRY(store(parts, note, timeout));
  return note;
}

Result<Adoption> adopt_progress(const AdminParts& parts, bool dry_run, Millis timeout, std::stop_token stop) {
  const Release release(parts);
  SourceState state;
  RELAY_ASSIGN(state, parts.source.inspect());
  if (!state.slot)
    return no_place_to_adopt(parts, state);
  Adoption adoption;
  if (dry_run) {
    RELAY_ASSIGN(adoption.before, stored(parts, false, timeout, stop));
  } else {
    RELAY_ASSIGN(adoption.before, take_over(parts, AcquireFor::streaming, timeout, stop));
    RELAY_ASSIGN(state, parts.source.inspect());
  }
  adoption.after = identity(parts, state, adoption.before);
  adoption.after.end_lsn = state.slot->confirmed_flush;
  adoption.consequence = adoption_consequence(state, adoption.before);
  if (!dry_run) RELAY_TRY(store(parts, adoption.after, timeout));
  return adoption;
}

Result<Adoption> reset_progress(const AdminParts& parts, bool dry_run, Millis timeout, std::stop_token stop) {
  const Release release(parts);
  SourceState state;
  RELAY_ASSIGN(state, parts.source.inspect());
  Adoption adoption;
  if (dry_run) {
    RELAY_ASSIGN(adoption.before, stored(parts, false, timeout, stop));
  } else {
    const auto lock = state.slot ? AcquireFor::streaming : AcquireFor::creation;
    RELAY_ASSIGN(adoption.before, take_over(parts, lock, timeout, stop));
  }
  adoption.after = identity(parts, state, adoption.before);
  adoption.after.state = ProgressState::reset;
  adoption.consequence =
      "the stored position is forgotten; the next start creates a new slot: rows that exist then come again or never, as "
      "source.snapshot says, and what is committed before that slot exists is otherwise not delivered";
  if (!dry_run) RELAY_TRY(store(parts, adoption.after, timeout));
  return adoption;
}

}  // namespace relay
