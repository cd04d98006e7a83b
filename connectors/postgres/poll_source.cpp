// The start of an attempt, and its end. The way of rows is in poll_source_read.cpp.
#include "connectors/postgres/poll_source.h"

#include <poll.h>

#include <algorithm>

#include "connectors/postgres/poll_checks.h"
#include "connectors/postgres/server_questions.h"
#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

constexpr Millis kLookAtRunning{100};
constexpr std::chrono::seconds kTellWaiting{10};

Result<void> refuse_first(const Problems& problems) {
  if (!problems.empty()) return fail(problems.front().error());
  return {};
}

}  // namespace

Result<PollInspection> inspect_polled(SqlSession& sql, const PollSourceConfig& config) {
  RELAY_TRY(refuse_first(version_problems(config.common, sql.server_version())));
  RELAY_ASSIGN(const auto server, server_facts(sql));
  RELAY_TRY(refuse_first(poll_server_problems(server)));
  RELAY_ASSIGN(const auto tables, table_facts(sql, config.common));
  RELAY_TRY(refuse_first(poll_table_problems(config, tables)));
  PollInspection seen;
  seen.table = tables.tables.front();
  RELAY_ASSIGN(seen.facts, poll_facts(sql, config, seen.table));
  RELAY_TRY(refuse_first(poll_problems(config, server, seen.table, seen.facts)));
  const auto refusals = poll_creation_problems(config, seen.table, seen.facts);
  if (!refusals.empty()) seen.state.creation_refused = refusals.front().error();
  seen.state.place = PlaceKind::row_id;
  seen.state.system_identifier = server.system_identifier;
  seen.state.timeline = server.timeline;
  seen.state.wal_end = Lsn{seen.facts.sequence->last_id};
  seen.state.slot_name = id_source_name(config, seen.table, *seen.facts.sequence);
  if (const auto& acknowledged = seen.facts.reader.acknowledged)
    seen.state.slot = SlotState{Lsn{*acknowledged}, false, 0};
  seen.state.fingerprint = poll_fingerprint(config);
  return seen;
}

PollSource::PollSource(PollSourceConfig config, Clock& clock, Logger log)
    : config_(std::move(config)), clock_(clock), log_(std::move(log)) {}

PollSource::~PollSource() { release(); }

Result<void> PollSource::connect() {
  if (now_.session && now_.session->alive()) return {};
  if (now_.session && now_.session->locked())
    return fail(ErrorKind::transient, "connection_lost",
                "reading for pipeline " + config_.common.pipeline + ": the connection that holds the lock was closed");
  auto connected = PollSession::connect(config_, had_success_);
  if (!connected) {
    auto error = std::move(connected).error();
    if (had_success_ && error.code == "password_unreadable") error.kind = ErrorKind::transient;
    return fail(std::move(error));
  }
  now_.session = std::move(*connected);
  return {};
}

Result<SourceState> PollSource::inspect() {
  RELAY_TRY(connect());
  RELAY_ASSIGN(now_.seen, inspect_polled(now_.session->sql(), config_));
  const auto& sequence = *now_.seen->facts.sequence;
  now_.session->poll_sequence(sequence.schema, sequence.name);
  now_.acknowledged = now_.seen->facts.reader.acknowledged.value_or(0);
  had_success_ = true;
  return now_.seen->state;
}

Result<void> PollSource::acquire(AcquireFor) {
  RELAY_ASSERT(now_.session);
  RELAY_TRY(now_.session->lock());
  log_.info("reader_acquired", "reading the outbox table",
            {{"table", now_.seen->table.name()},
             {"acknowledged", std::to_string(now_.acknowledged)},
             {"database", describe_target(config_.common.connection)}});
  return {};
}

Result<void> PollSource::drop_slot() {
  RELAY_ASSERT(now_.session && now_.session->locked());
  return now_.session->delete_reader();
}

// The reader's row comes before anything is waited for: from then on nobody purges what follows.
Result<StartPoint> PollSource::create() {
  RELAY_ASSERT(now_.session && now_.session->locked());
  if (config_.common.create_tables) {
    RELAY_TRY(now_.session->make_reader_table());
    RELAY_TRY(create_store_tables(now_.session->sql()));
  }
  if (config_.common.snapshot == SnapshotMode::never) {
    RELAY_ASSIGN(const auto start, settled_start());
    return StartPoint{Lsn{start}, std::nullopt};
  }
  RELAY_TRY(now_.session->insert_reader(0));
  if (!now_.seen->facts.rows_without_id) return StartPoint{};
  return StartPoint{Lsn{}, SnapshotProgress{}};
}

// The newest id at this moment, with every transaction that might still commit a row up to it ended: what is committed
// later than this call comes behind it. Its place in the sequence is on disk with the barrier, so it is not given out
// again.
Result<std::uint64_t> PollSource::settled_start() {
  RELAY_ASSIGN(const auto start, now_.session->last_id());
  RELAY_TRY(now_.session->insert_reader(start));
  RELAY_ASSIGN(auto barrier, now_.session->raise_barrier());
  auto told = clock_.now();
  while (barrier.oldest < barrier.xid) {
    pollfd fd{waker_.fd(), POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(kLookAtRunning.count())) > 0) waker_.clear();
    if (given_up_)
      return fail(
          ErrorKind::transient, "creation_interrupted",
          "starting pipeline " + config_.common.pipeline + ": told to stop while older transactions were waited for");
    RELAY_ASSIGN(barrier.oldest, now_.session->oldest_running());
    if (clock_.now() - told < kTellWaiting || barrier.oldest >= barrier.xid) continue;
    told = clock_.now();
    RELAY_ASSIGN(const auto holder, holding_transaction(now_.session->sql(), barrier.oldest));
    log_.info("start_waits", "waiting for transactions that were open when the pipeline began",
              {{"for", holder ? holder->text() : "transaction " + std::to_string(barrier.oldest)}});
  }
  return start;
}

Result<const OutboxMapping*> PollSource::mapping_of(const PollTable& table) {
  for (const auto& mapping : mappings_)
    if (mapping->table() == table.full_name() && mapping->columns() == table.columns) return mapping.get();
  RELAY_ASSIGN(auto made, OutboxMapping::make(config_.common, table.full_name(), table.columns));
  mappings_.push_back(std::move(made));
  return mappings_.back().get();
}

Result<void> PollSource::start(const Progress& from) {
  RELAY_ASSERT(now_.session && now_.session->locked() && now_.seen && !now_.started);
  const auto table = poll_table(config_, now_.seen->table);
  RELAY_ASSIGN(const auto* mapping, mapping_of(table));
  RELAY_ASSIGN(now_.reader, PollReader::open(config_, table, *mapping, now_.session->sql().server_version()));
  now_.rounds = std::make_unique<PollRounds>(*now_.session, config_.shortest_interval, config_.longest_interval);
  now_.from = from;
  now_.initial = from.state == ProgressState::snapshot;
  const auto position = std::max(from.end_lsn, from.position.commit_lsn).value;
  if (now_.initial) {
    now_.rounds->read_at_once(position, clock_.now());
    RELAY_TRY(now_.reader->begin_initial(from.snapshot));
  } else {
    now_.rounds->begin(position, clock_.now());
  }
  now_.started = true;
  return {};
}

void PollSource::confirm(Lsn end_id) { now_.confirmed = std::max(now_.confirmed, end_id.value); }

// One behind the newest id: `passed` and the target are both exclusive, so that a table without rows has a target too.
Result<Lsn> PollSource::drain_target() {
  RELAY_ASSERT(now_.session);
  RELAY_ASSIGN(const auto newest, now_.session->last_id());
  return Lsn{newest + 1};
}

void PollSource::release() noexcept {
  now_.reader.reset();
  // What was confirmed last should reach the server, so that it may be purged although nobody reads any more.
  if (now_.session && now_.session->locked() && now_.session->alive() && now_.confirmed > now_.acknowledged)
    if (auto noted = now_.session->acknowledge(now_.confirmed); !noted) log_.failure(LogLevel::debug, noted.error());
  now_ = Attempt{};
}

SourceCounters PollSource::counters() const {
  SourceCounters out;
  out.snapshot_rows = initial_rows_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace relay::connectors::postgres
