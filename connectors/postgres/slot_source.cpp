// The start of an attempt, and its end. The stream is in slot_source_stream.cpp.
#include "connectors/postgres/slot_source.h"

#include <algorithm>
#include <charconv>

#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/server_questions_facts.h"
#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

constexpr Millis kGoodbye{300};
constexpr Millis kStatusMin{100};

}  // namespace

SlotSource::SlotSource(SlotSourceConfig config, Clock& clock, Logger log)
    : config_(std::move(config)),
      clock_(clock),
      log_(std::move(log)),
      stream_(
          config_,
          {[this] { return partition_roots(*now_.sql); },
           [this](std::uint32_t relation, const auto& types) { return relation_details(*now_.sql, relation, types); }},
          counters_, log_) {}

SlotSource::~SlotSource() { release(); }

Result<SourceState> SlotSource::inspect() {
  if (!now_.sql || !now_.sql->alive()) RELAY_TRY(connect_sql());
  RELAY_ASSIGN(auto state, inspect_server(*now_.sql, config_));
  if (!now_.identity) RELAY_TRY(identify());
  if (state.system_identifier != now_.identity->system_identifier)
    return fail(ErrorKind::transient, "servers_differ",
                "looking at the database " + describe_target(config_.connection) +
                    ": two connections reached two different servers",
                "name one server in database.url, not a load balancer over several");
  state.timeline = now_.identity->timeline;
  state.history = now_.history;
  state.wal_end = std::max(state.wal_end, now_.identity->wal_end);
  had_success_ = true;
  return state;
}

Result<void> SlotSource::connect_sql() {
  auto connected = SqlSession::connect(config_.connection, had_success_);
  if (connected) {
    now_.sql = std::move(*connected);
    return {};
  }
  auto error = std::move(connected).error();
  if (had_success_ && error.code == "password_unreadable") error.kind = ErrorKind::transient;
  return fail(std::move(error));
}

// Who the walsender says it is: the connection that streams is the one that counts.
Result<void> SlotSource::identify() {
  RELAY_ASSIGN(now_.session, ReplicationSession::connect(config_.connection, had_success_));
  RELAY_ASSIGN(now_.identity, now_.session->identify_system());
  auto history = now_.session->timeline_history(now_.identity->timeline);
  if (!history && history.error().kind == ErrorKind::corrupt) return fail(std::move(history).error());
  if (history)
    now_.history = std::move(*history);
  else  // without it, progress of an older timeline is refused
    log_.failure(LogLevel::warn, history.error());
  return {};
}

Result<void> SlotSource::acquire(AcquireFor what) {
  RELAY_ASSERT(now_.sql && now_.session && !now_.streaming);
  if (what == AcquireFor::creation) return lock_pipeline_name();
  if (config_.failover) RELAY_TRY(follow_failover_setting());
  RELAY_TRY(open_stream());
  log_.info("slot_acquired", "reading the slot",
            {{"slot", config_.slot},
             {"confirmed", to_string(now_.slot_confirmed)},
             {"database", describe_target(config_.connection)}});
  return {};
}

Result<void> SlotSource::lock_pipeline_name() {
  RELAY_ASSIGN(const auto rows, now_.sql->query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))",
                                                {"outbox-relay pipeline " + config_.pipeline},
                                                "lock the name of pipeline " + config_.pipeline));
  if (!rows.empty() && rows[0][0] == "t") return {};
  return fail(ErrorKind::busy, "slot_active",
              "starting pipeline " + config_.pipeline + ": another instance is creating its slot", "");
}

Result<void> SlotSource::open_stream() {
  RELAY_TRY(now_.session->start_streaming(config_.slot, config_.publication, config_.messages.has_value()));
  now_.streaming = true;
  RELAY_TRY(note_slot_facts());
  RELAY_TRY(note_wal_end());
  const auto now = clock_.now();
  now_.status_due = now;
  now_.publication_due = now + std::chrono::seconds(30);
  silence_.listen_from(now);
  return {};
}

// A slot from before the setting; only while nobody reads it.
Result<void> SlotSource::follow_failover_setting() {
  RELAY_ASSIGN(const auto slot, slot_facts(*now_.sql, config_.slot));
  if (!slot || slot->failover) return {};
  // Altering waits for whoever reads the slot, and its server process would go on waiting when we are gone.
  if (slot->state.active)
    return fail(ErrorKind::busy, "slot_active",
                "taking the slot " + config_.slot + ": server process " + std::to_string(slot->state.active_pid) + " reads it", "");
  RELAY_TRY(now_.session->enable_failover(config_.slot));
  log_.info("slot_failover_enabled", "the slot is synchronised to standbys from now on", {{"slot", config_.slot}});
  return {};
}

// Asked while we hold the slot: before, another instance might still have moved it.
Result<void> SlotSource::note_slot_facts() {
  RELAY_ASSIGN(const auto rows,
               now_.sql->query("SELECT confirmed_flush_lsn::text, (SELECT setting FROM pg_settings WHERE name = "
                               "'wal_sender_timeout') FROM pg_replication_slots WHERE slot_name = $1",
                               {config_.slot}, "look at the slot " + config_.slot));
  if (rows.size() != 1 || !rows[0][0])
    return fail(ErrorKind::transient, "slot_changed_meanwhile",
                "looking at slot " + config_.slot + ": it went away while it was opened");
  now_.slot_confirmed = parse_lsn(*rows[0][0]).value_or(Lsn{});
  std::int64_t timeout_ms = 0;  // 0: the server waits for ever
  if (const auto& text = rows[0][1]) std::from_chars(text->data(), text->data() + text->size(), timeout_ms);
  now_.status_interval = config_.status_interval;
  if (timeout_ms > 0) now_.status_interval = std::clamp(Millis(timeout_ms / 4), kStatusMin, config_.status_interval);
  return {};
}

// For the lag that is shown: while there is a backlog, the stream tells only how far it has come itself.
Result<void> SlotSource::note_wal_end() {
  RELAY_ASSIGN(const auto rows,
               now_.sql->query("SELECT pg_current_wal_flush_lsn()::text", {}, "look at the end of the server's WAL"));
  if (rows.empty() || !rows[0][0]) return {};
  now_.server_wal_end = std::max(now_.server_wal_end, parse_lsn(*rows[0][0]).value_or(Lsn{}));
  return {};
}

Result<StartPoint> SlotSource::create() {
  RELAY_ASSERT(now_.sql && now_.session && !now_.streaming);
  if (config_.create_publication) RELAY_TRY(create_publication(*now_.sql, config_));
  if (config_.create_tables) RELAY_TRY(create_store_tables(*now_.sql));
  if (config_.snapshot == SnapshotMode::initial) {
    RELAY_ASSIGN(now_.snapshot, SnapshotReader::lock_tables(config_));
  }
  RELAY_ASSIGN(const auto created, create_slot());
  StartPoint start{created.consistent_point, std::nullopt};
  if (now_.snapshot) {
    RELAY_ASSIGN(start.snapshot, now_.snapshot->import(created.snapshot_name, created.consistent_point));
  }
  RELAY_TRY(open_stream());  // at once: from here on nobody else can take the slot
  return start;
}

Result<CreatedSlot> SlotSource::create_slot() {
  auto created = now_.session->create_slot(config_.slot, config_.failover, waker_, given_up_, log_);
  if (created || created.error().code != "creation_interrupted") return created;
  // Left alone, the server would go on waiting, and then keep a slot that nobody knows of.
  const auto cancelled =
      now_.sql->query("SELECT pg_cancel_backend($1::int)", {std::to_string(now_.session->backend_pid())},
                      "cancel the creation of slot " + config_.slot);
  if (!cancelled) log_.failure(LogLevel::warn, cancelled.error());
  return created;
}

Result<void> SlotSource::drop_slot() {
  RELAY_ASSERT(now_.session && !now_.streaming);
  return now_.session->drop_slot(config_.slot);
}

Result<void> SlotSource::start(const Progress& from) {
  RELAY_ASSERT(now_.streaming && !now_.started);
  now_.from = from;
  if (from.state == ProgressState::streaming) {
    stream_.begin_stream(from, now_.slot_confirmed);
  } else if (!now_.snapshot) {
    RELAY_ASSIGN(now_.snapshot, SnapshotReader::resume(config_, from.snapshot));
  }
  now_.started = true;
  return {};
}

void SlotSource::confirm(Lsn end_lsn) {
  now_.confirmed = std::max(now_.confirmed, end_lsn);
  if (now_.reply_wanted_at && now_.confirmed >= now_.reply_wanted_at) now_.answer_now = true;
}

Result<Lsn> SlotSource::drain_target() {
  RELAY_ASSERT(now_.sql);
  const std::string attempted = "find out up to where to drain";
  RELAY_ASSIGN(const auto rows, now_.sql->query("SELECT pg_current_wal_insert_lsn()::text", {}, attempted));
  const auto target = rows.empty() || !rows[0][0] ? std::nullopt : parse_lsn(*rows[0][0]);
  if (!target)
    return fail(ErrorKind::transient, "database_error", "could not " + attempted + ": the server told no position");
  // Asynchronous commits before the target reach the disk, and so the walsender, no later than a synchronous one after
  // it. Only a transaction that wrote WAL is flushed at its commit; a logical message is the cheapest way to write
  // some, needs no table and no privilege, and is sent to nobody here.
  RELAY_TRY(now_.sql->transaction(
      {"SET LOCAL synchronous_commit = 'local'", "SELECT pg_logical_emit_message(true, 'outbox_relay.drain', '')"},
      attempted));
  return *target;
}

void SlotSource::release() noexcept {
  if (now_.session && now_.streaming) {
    // What was confirmed last should reach the server, so that its WAL is freed although nobody streams any more.
    if (now_.session->send_status(now_.confirmed, clock_.unix_micros(), false)) now_.session->finish(kGoodbye);
  }
  now_ = Attempt{};
}

SourceCounters SlotSource::counters() const {
  const auto read = [](const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); };
  SourceCounters out;
  out.ignored_updates = read(counters_.ignored_updates);
  out.ignored_deletes = read(counters_.ignored_deletes);
  out.ignored_truncates = read(counters_.ignored_truncates);
  out.ignored_messages = read(counters_.ignored_messages);
  out.row_moves = read(counters_.row_moves);
  out.snapshot_rows = read(snapshot_rows_);
  return out;
}

}  // namespace relay::connectors::postgres
