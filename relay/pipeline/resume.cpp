#include "relay/pipeline/resume.h"

#include <algorithm>

namespace relay {
namespace {

// Codes of everything refused here, in the order of the checks: progress_missing, cluster_changed,
// system_identifier_changed, source_changed, slot_changed, slot_missing, timeline_behind, timeline_diverged,
// wal_behind_progress, slot_ahead_of_progress, stream_changed_inside_transaction, stream_changed_during_snapshot; and of
// sources that count row ids: id_sequence_changed, reader_missing, timeline_changed, ids_behind_progress,
// reader_ahead_of_progress.

std::string adopt(const std::string& pipeline) { return "outbox-relay progress adopt -c FILE --pipeline " + pipeline; }

tl::unexpected<Error> refuse(std::string code, std::string message, std::string hint) {
  return fail(ErrorKind::fatal, std::move(code), std::move(message), std::move(hint));
}

bool counts_ids(const SourceState& source) { return source.place == PlaceKind::row_id; }

// What holds the place on the server, for messages.
std::string holder(const SourceState& source, const std::string& pipeline) {
  return counts_ids(source) ? "reader " + pipeline : "slot " + source.slot_name;
}

Result<StartAction> without_progress(const SourceState& source, const std::string& pipeline) {
  if (source.slot)
    return refuse("progress_missing",
                  "starting pipeline " + pipeline + ": " + holder(source, pipeline) + " exists (confirmed " +
                      place_text(source.place, source.slot->confirmed_flush) +
                      "), but no progress record says what was delivered",
                  "if its confirmed position is right, take it over: " + adopt(pipeline) +
                      " ; to begin anew: outbox-relay slot drop -c FILE --pipeline " + pipeline);
  if (source.creation_refused) return fail(*source.creation_refused);
  return StartAction::create;
}

Result<void> same_identity(const SourceState& source, const Progress& p, const std::string& cluster_id) {
  if (!cluster_id.empty() && !p.cluster_id.empty() && cluster_id != p.cluster_id)
    return refuse("cluster_changed",
                  "starting pipeline " + p.pipeline + ": its progress was written to Kafka cluster " + p.cluster_id +
                      ", the brokers reached now are cluster " + cluster_id,
                  "point bootstrap_servers at the old cluster, or accept the new one: " + adopt(p.pipeline));
  if (source.system_identifier != p.system_identifier)
    return refuse("system_identifier_changed",
                  "starting pipeline " + p.pipeline + ": its progress belongs to the PostgreSQL cluster with system identifier " +
                      p.system_identifier + ", the server reached now has " + source.system_identifier,
                  "point database.url at the old server; for a restored copy or an upgraded server: " + adopt(p.pipeline));
  if (source.place != p.place) {
    const char* const was = counts_ids(source) ? "slot" : "poll";
    const char* const is = counts_ids(source) ? "poll" : "slot";
    return refuse("source_changed",
                  "starting pipeline " + p.pipeline + ": its progress (" + place_text(p.place, p.end_lsn) +
                      ") was made by a source of type " + was + ", configured is " + is +
                      ", and what one has delivered means nothing to the other",
                  std::string("set source.type: ") + was + "; to change it, let the old source drain, then begin anew: "
                  "outbox-relay progress reset -c FILE --pipeline " + p.pipeline);
  }
  if (source.slot_name != p.slot && counts_ids(source))
    return refuse("id_sequence_changed",
                  "starting pipeline " + p.pipeline + ": its progress counts ids of " + p.slot + ", configured is " +
                      source.slot_name + "; ids of the one say nothing about rows of the other",
                  "set source.outbox to the old table; or deliver all rows that are there, again or not: outbox-relay progress "
                  "reset -c FILE --pipeline " + p.pipeline + "; or take over what the reader has acknowledged, without rows "
                  "that have no id: " + adopt(p.pipeline));
  if (source.slot_name != p.slot)
    return refuse("slot_changed",
                  "starting pipeline " + p.pipeline + ": its progress belongs to slot " + p.slot + ", configured is " +
                      source.slot_name,
                  "set source.slot to " + p.slot + ", or take over the other slot's position: " + adopt(p.pipeline));
  return {};
}

// The server's WAL must contain what was delivered: a restored copy or a lagging promoted standby would otherwise have its
// new commits dropped as delivered already.
Result<void> same_history(const SourceState& source, const Progress& p) {
  const auto delivered = std::max(p.end_lsn, p.position.commit_lsn);
  const std::string at = "starting pipeline " + p.pipeline + ": delivered is up to " + to_string(delivered) +
                         " on timeline " + std::to_string(p.timeline);
  const std::string hint = "this server lacks transactions that were delivered; events committed on it since would be "
                           "lost; compare, then accept its history: " + adopt(p.pipeline);
  if (source.timeline < p.timeline)
    return refuse("timeline_behind", at + ", the server is on timeline " + std::to_string(source.timeline), hint);
  if (source.timeline > p.timeline) {
    const auto sw = std::find_if(source.history.begin(), source.history.end(),
                                 [&](const TimelineSwitch& s) { return s.timeline == p.timeline; });
    if (sw == source.history.end() || sw->switch_point < delivered)
      return refuse("timeline_diverged",
                    at + ", the server left that timeline at " +
                        (sw == source.history.end() ? "an unknown point" : to_string(sw->switch_point)) +
                        " and is on timeline " + std::to_string(source.timeline),
                    hint);
  }
  if (source.wal_end < delivered)
    return refuse("wal_behind_progress", at + ", the server's WAL ends at " + to_string(source.wal_end), hint);
  return {};
}

// Ids do not tell what a promoted standby lacks, so any other timeline needs a person; and a sequence behind what was
// delivered was put back, so that its next ids would be taken for delivered ones.
Result<void> same_ids(const SourceState& source, const Progress& p) {
  const auto delivered = std::max(p.end_lsn, p.position.commit_lsn);
  const std::string at = "starting pipeline " + p.pipeline + ": delivered is up to " + place_text(p.place, delivered) +
                         " on timeline " + std::to_string(p.timeline);
  if (source.timeline != p.timeline)
    return refuse("timeline_changed",
                  at + ", the server is on timeline " + std::to_string(source.timeline) +
                      ": a standby was promoted or a backup restored, which may lack rows that were delivered",
                  "compare, then go on behind what the reader has acknowledged there (events after it come twice): " +
                      adopt(p.pipeline));
  if (source.wal_end < delivered)
    return refuse("ids_behind_progress",
                  at + ", but the newest id that " + source.slot_name + " has given out is " +
                      std::to_string(source.wal_end.value) + ": it was set back, or a backup was restored",
                  source.slot->confirmed_flush <= source.wal_end
                      ? "compare, then go on behind what the reader has acknowledged there: " + adopt(p.pipeline)
                      : "set it forward again: SELECT setval('SEQUENCE', " + std::to_string(delivered.value) +
                            "); rows that have smaller ids already are not delivered");
  return {};
}

Result<void> same_reader_position(const SourceState& source, const Progress& p) {
  if (!source.slot)
    return refuse("reader_missing",
                  "starting pipeline " + p.pipeline +
                      ": its row in outbox_relay.reader does not exist any more; rows after " + place_text(p.place, p.end_lsn) +
                      " may have been purged",
                  "to accept that and begin anew: outbox-relay progress reset -c FILE --pipeline " + p.pipeline);
  if (source.slot->confirmed_flush > p.end_lsn)
    return refuse("reader_ahead_of_progress",
                  "starting pipeline " + p.pipeline + ": outbox_relay.reader says that " +
                      place_text(source.place, source.slot->confirmed_flush) + " is acknowledged, but only " +
                      place_text(p.place, p.end_lsn) + " was delivered; what lies between may have been purged",
                  "to accept that loss: " + adopt(p.pipeline));
  return {};
}

Result<void> same_slot_position(const SourceState& source, const Progress& p) {
  if (!source.slot)
    return refuse("slot_missing",
                  "starting pipeline " + p.pipeline + ": slot " + source.slot_name +
                      " does not exist any more; changes after " + to_string(p.end_lsn) + " may be lost",
                  "to accept that and begin anew: outbox-relay progress reset -c FILE --pipeline " + p.pipeline);
  if (source.slot->confirmed_flush > p.end_lsn)
    return refuse("slot_ahead_of_progress",
                  "starting pipeline " + p.pipeline + ": slot " + source.slot_name + " is confirmed up to " +
                      to_string(source.slot->confirmed_flush) + ", but only " + to_string(p.end_lsn) +
                      " was delivered; somebody else advanced it and what lies between cannot be read any more",
                  "to accept that loss: " + adopt(p.pipeline));
  return {};
}

Result<void> same_shape(const SourceState& source, const Progress& p) {
  if (source.fingerprint == p.fingerprint) return {};
  if (p.position.inside_transaction())
    return refuse("stream_changed_inside_transaction",
                  "starting pipeline " + p.pipeline + ": tables, columns or publication were reconfigured while a large "
                  "transaction was delivered in part",
                  "start once with the old configuration until that transaction is delivered, then change it");
  if (p.state == ProgressState::snapshot)
    return refuse("stream_changed_during_snapshot",
                  "starting pipeline " + p.pipeline + ": tables, columns or publication were reconfigured during the initial read",
                  "let the initial read finish with the old configuration, then change it");
  return {};
}

}  // namespace

Result<StartAction> decide_start(const SourceState& source, const std::optional<Progress>& progress,
                                 const std::string& pipeline, const std::string& cluster_id) {
  if (!progress || progress->state == ProgressState::reset) return without_progress(source, pipeline);
  RELAY_TRY(same_identity(source, *progress, cluster_id));
  if (progress->state == ProgressState::creating) {
    if (source.creation_refused) return fail(*source.creation_refused);
    return StartAction::recreate;
  }
  RELAY_TRY(counts_ids(source) ? same_reader_position(source, *progress) : same_slot_position(source, *progress));
  RELAY_TRY(counts_ids(source) ? same_ids(source, *progress) : same_history(source, *progress));
  RELAY_TRY(same_shape(source, *progress));
  return StartAction::resume;
}

}  // namespace relay
