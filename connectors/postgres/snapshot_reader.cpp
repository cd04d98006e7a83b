#include "connectors/postgres/snapshot_reader.h"

#include <algorithm>
#include <charconv>
#include <mutex>

#include "connectors/postgres/row_facts.h"
#include "connectors/postgres/snapshot_reader_connection.h"
#include "connectors/postgres/snapshot_reader_query.h"
#include "connectors/postgres/table_mapping.h"

namespace relay::connectors::postgres {

namespace {

// Events point to the strings of their mapping, and outlive the reader. So mappings are kept for the life of the
// process: one for each shape of a table that was ever read, however often reading it was taken up again.
struct KeptMapping {
  std::string configuration;
  std::unique_ptr<OutboxMapping> outbox;
  std::unique_ptr<TableMapping> rows;  // or this one
};

TableShape shape_of(const SnapshotTable& table) {
  // Nothing of an old row is asked for here: a row that is read is whole.
  return {table.schema, table.name, table.columns, 'f', table.key, table.types};
}

bool serves(const KeptMapping& kept, const SnapshotTable& table) {
  if (table.capture) return kept.rows && kept.rows->shape() == shape_of(table);
  return kept.outbox && kept.outbox->table() == table.full_name() && kept.outbox->columns() == table.columns;
}

Result<const KeptMapping*> kept_mapping(const SlotSourceConfig& config, const SnapshotTable& table) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<KeptMapping>> all;  // guarded by mutex
  const auto configuration = stream_fingerprint(config);
  const std::lock_guard lock(mutex);
  for (const auto& kept : all)
    if (kept->configuration == configuration && serves(*kept, table)) return kept.get();
  auto made = std::make_unique<KeptMapping>();
  made->configuration = configuration;
  if (table.capture) {
    RELAY_ASSIGN(made->rows, TableMapping::make(*table.capture, shape_of(table)));
  } else {
    RELAY_ASSIGN(made->outbox, OutboxMapping::make(config, table.full_name(), table.columns));
  }
  all.push_back(std::move(made));
  return all.back().get();
}

Result<std::vector<SnapshotTable>> tables_to_read(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(const auto facts, table_facts(sql, config));
  RELAY_ASSIGN(const auto publication, publication_facts(sql, config.publication));
  std::vector<SnapshotTable> tables;
  for (const auto& t : facts.tables) {
    const auto* capture = config.capture_of(t.name());
    if (capture && !capture->takes_initial_rows()) continue;
    RELAY_ASSIGN(auto table, snapshot_table(config, t, publication ? &*publication : nullptr));
    std::vector<std::uint32_t> oids;
    for (const auto& column : table.columns) oids.push_back(column.type_oid);
    if (capture) {
      RELAY_ASSIGN(table.types, type_facts(sql, JsonTypes::not_built_in(oids)));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

bool same_tables(const std::vector<SnapshotTable>& a, const std::vector<SnapshotTable>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.oid == y.oid && x.full_name() == y.full_name(); });
}

tl::unexpected<Error> not_resumable(std::string code, const std::string& why, const SlotSourceConfig& config) {
  return fail(ErrorKind::fatal, std::move(code),
              "taking up the initial read of pipeline " + config.pipeline + " again: " + why,
              "begin it anew (rows that were delivered come again): outbox-relay progress reset -c FILE --pipeline " +
                  config.pipeline + " ; then: outbox-relay slot drop -c FILE --pipeline " + config.pipeline);
}

}  // namespace

class SnapshotReader::Impl {
 public:
  explicit Impl(SlotSourceConfig config) : config_(std::move(config)) {}

  Result<void> open_and_lock();
  Result<void> import(const std::string& exported_snapshot, Lsn consistent_point);
  Result<void> resume(SnapshotProgress from);
  Result<Read> read(Batch& batch);

  int socket() const { return connection_ ? connection_->socket() : -1; }
  bool wants_write() const { return connection_ && connection_->wants_write(); }
  const SnapshotProgress& progress() const { return progress_; }

 private:
  // What the running query, or the next, is for: a look for rows that would forbid a resumption, or the rows
  // themselves.
  enum class Phase { ambiguity, rows };

  Result<void> settle_tables();
  Result<std::vector<std::string>> storage();
  Result<void> check_resumable(const SnapshotProgress& from);
  Result<std::size_t> find_last_table() const;
  Result<void> start_query();
  Result<bool> take_row(Batch& batch);
  void end_query();
  void publish(Batch& batch);

  SlotSourceConfig config_;
  std::unique_ptr<SqlSession> sql_;  // for the catalogs, until reading starts
  std::unique_ptr<SnapshotConnection> connection_;
  std::vector<SnapshotTable> tables_;
  std::vector<const KeptMapping*> mappings_;    // of tables_
  std::vector<ColumnText> texts_;               // of one row; kept to allocate nothing per row
  SnapshotProgress progress_;
  Phase phase_ = Phase::rows;
  std::size_t table_ = 0;  // into tables_, of the running or next query
  bool running_ = false;
  bool resumed_ = false;
  bool ambiguous_ = false;               // a row was found that forbids a resumption
  std::string newest_id_;                // resumed: the reader's own; ambiguity: the end of the horizon
  std::string snapshot_text_;            // of the first session
  std::vector<std::string> after_;       // resumed: the last key in the first table
  std::optional<SnapshotRow> last_row_;  // taken since the last publish()
};

// The lock comes before the slot: a TRUNCATE would empty a table under any snapshot. A lock takes no snapshot, so that
// one can still be imported.
Result<void> SnapshotReader::Impl::open_and_lock() {
  RELAY_ASSIGN(sql_, SqlSession::connect(config_.connection, true));
  RELAY_ASSIGN(tables_, tables_to_read(*sql_, config_));
  RELAY_ASSIGN(connection_, SnapshotConnection::connect(config_.connection));
  RELAY_TRY(connection_->run(search_path_statement(tables_), "set up the connection of the initial read"));
  RELAY_TRY(connection_->run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin the initial read"));
  if (!tables_.empty())
    RELAY_TRY(connection_->run(lock_statement(tables_), "lock the tables for the initial read"));
  return {};
}

// Looked at again under the lock, which keeps them from changing; and since the slot exists, a table that is not among
// them has all its rows in the stream.
Result<void> SnapshotReader::Impl::settle_tables() {
  RELAY_ASSIGN(auto now, tables_to_read(*sql_, config_));
  if (!same_tables(tables_, now))
    return fail(ErrorKind::transient, "outbox_tables_changed",
                "preparing the initial read: a table was created, renamed or dropped at the same moment");
  tables_ = std::move(now);
  for (const auto& table : tables_) {
    RELAY_ASSIGN(const auto* mapping, kept_mapping(config_, table));
    mappings_.push_back(mapping);
  }
  sql_.reset();
  return {};
}

Result<void> SnapshotReader::Impl::import(const std::string& exported_snapshot, Lsn consistent_point) {
  RELAY_TRY(connection_->run("SET TRANSACTION SNAPSHOT " + quote_literal(exported_snapshot),
                             "take over the slot's snapshot for the initial read"));
  // Read here and not elsewhere: another session's text does not list the subtransactions that are open.
  RELAY_ASSIGN(const auto rows, connection_->run("SELECT pg_current_snapshot()", "read the slot's snapshot"));
  RELAY_TRY(settle_tables());
  const auto text = readable_snapshot(rows.front()[0].value_or(""));
  const auto horizon = resume_horizon(text.value_or(""));
  if (!horizon)
    return fail(ErrorKind::fatal, "snapshot_unreadable",
                "preparing the initial read: the server's pg_current_snapshot() is no snapshot");
  snapshot_text_ = *text;
  newest_id_ = std::to_string(*horizon);
  phase_ = may_be_ambiguous(*horizon) ? Phase::ambiguity : Phase::rows;
  progress_.consistent_point = consistent_point;
  RELAY_ASSIGN(progress_.storage, storage());
  if (phase_ == Phase::rows) progress_.snapshot_text = snapshot_text_;
  return {};
}

Result<void> SnapshotReader::Impl::resume(SnapshotProgress from) {
  const auto horizon = resume_horizon(from.snapshot_text);
  if (!horizon)
    return not_resumable("snapshot_not_resumable",
                         "its transaction ids have passed 2^32, and old frozen rows could not be told from new ones",
                         config_);
  RELAY_TRY(open_and_lock());
  RELAY_TRY(check_resumable(from));
  // The first statement fixes what is visible; the second, later, a place in the WAL behind all of that.
  RELAY_TRY(connection_->run("SELECT pg_current_snapshot()", "begin the initial read again"));
  RELAY_ASSIGN(const auto rows,
               connection_->run("SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_insert_lsn()",
                                "begin the initial read again"));
  RELAY_TRY(settle_tables());
  newest_id_ = rows.front()[0].value_or("0");
  std::uint64_t newest = 0;
  std::from_chars(newest_id_.data(), newest_id_.data() + newest_id_.size(), newest);
  if (may_be_ambiguous(newest) && newest > *horizon)
    return not_resumable("snapshot_too_old",
                         "since it began, more than 2^28 transaction ids were used, so that old frozen "
                         "rows cannot be told from new ones any more",
                         config_);
  progress_ = std::move(from);
  progress_.resumed += 1;
  progress_.resumed_at = parse_lsn(rows.front()[1].value_or("")).value_or(Lsn{});
  snapshot_text_ = progress_.snapshot_text;
  resumed_ = true;
  if (progress_.last_key.empty()) return {};
  RELAY_ASSIGN(table_, find_last_table());
  after_.assign(progress_.last_key.begin() + 1, progress_.last_key.end());
  return {};
}

// Where the rows are kept, under the lock that keeps it so. Needs tables_.
Result<std::vector<std::string>> SnapshotReader::Impl::storage() {
  std::vector<std::string> parts;
  if (tables_.empty()) return parts;
  RELAY_ASSIGN(const auto rows, connection_->run(storage_query(tables_), "look where the tables are stored"));
  for (const auto& row : rows) parts.push_back(row[0].value_or(""));
  return parts;
}

// What would lose rows without a trace: unread ones whose xmin is new although they are old, and unread ones that were
// changed or deleted while nothing tells.
Result<void> SnapshotReader::Impl::check_resumable(const SnapshotProgress& from) {
  RELAY_ASSIGN(const auto now, storage());
  for (const auto& part : now) {
    const auto oid = part.substr(0, part.find(':') + 1);
    const auto before = std::find_if(from.storage.begin(), from.storage.end(),
                                     [&](const auto& b) { return b.compare(0, oid.size(), oid) == 0; });
    if (before != from.storage.end() && *before != part)
      return not_resumable("snapshot_table_rewritten",
                           "a table was rewritten meanwhile (ALTER TABLE, VACUUM FULL, CLUSTER or TRUNCATE), so "
                           "that old rows cannot be told from new ones",
                           config_);
  }
  if (config_.on_changed_row == OnChangedRow::report) return {};
  RELAY_ASSIGN(const auto p, publication_facts(*sql_, config_.publication));
  if (p && !(p->updates && p->deletes && p->truncates))
    return not_resumable("snapshot_changes_hidden",
                         "publication " + config_.publication +
                             " does not publish update, delete and truncate, so that existing rows which were changed "
                             "meanwhile would be lost unseen (snapshot: {mode: initial, on_changed_row: report} accepts that)",
                         config_);
  return {};
}

Result<std::size_t> SnapshotReader::Impl::find_last_table() const {
  const auto& name = progress_.last_key.front();
  const auto at = std::find_if(tables_.begin(), tables_.end(), [&](const auto& t) { return t.full_name() == name; });
  if (at == tables_.end())
    return not_resumable("snapshot_table_gone",
                         "the table " + name +
                             ", which was being read, is not among the tables "
                             "any more",
                         config_);
  if (at->order.size() + 1 != progress_.last_key.size())
    return not_resumable("snapshot_order_changed", "the order or the key of " + name + " is not what it was", config_);
  return static_cast<std::size_t>(at - tables_.begin());
}

Result<void> SnapshotReader::Impl::start_query() {
  const auto& table = tables_[table_];
  running_ = true;
  if (phase_ == Phase::ambiguity)
    return connection_->start(ambiguous_rows_query(table), {snapshot_text_, newest_id_},
                              "look for rows of " + table.full_name() + " older than the transaction ids tell");
  std::vector<std::string> parameters;
  if (resumed_) parameters = {snapshot_text_, newest_id_};
  parameters.insert(parameters.end(), after_.begin(), after_.end());
  return connection_->start(rows_query(table, resumed_, !after_.empty()), parameters,
                            "read the existing rows of " + table.full_name());
}

void SnapshotReader::Impl::end_query() {
  running_ = false;
  after_.clear();
  ++table_;
  if (phase_ == Phase::rows || (table_ < tables_.size() && !ambiguous_)) return;
  // Only when no table has such rows, what is stored from now on can be taken up again; otherwise an interruption is
  // refused rather than that rows are lost.
  if (!ambiguous_) progress_.snapshot_text = snapshot_text_;
  phase_ = Phase::rows;
  table_ = 0;
}

// One step of the running query; true when it gave something.
Result<bool> SnapshotReader::Impl::take_row(Batch& batch) {
  std::optional<SnapshotRow> row;
  RELAY_ASSIGN(const auto next, connection_->next(row));
  if (next == SnapshotConnection::Next::would_block) return false;
  if (next == SnapshotConnection::Next::end) {
    end_query();
    return true;
  }
  if (phase_ == Phase::ambiguity) {
    ambiguous_ = row->text(0) == "t";
    return true;
  }
  texts_.resize(row->columns());
  for (std::size_t i = 0; i < texts_.size(); ++i) texts_[i].text = row->text(i);
  RowPlace place;
  place.commit_lsn = progress_.consistent_point;
  place.from_snapshot = true;
  ++progress_.rows;
  place.change_lsn = Lsn{progress_.rows >> 32};
  place.ordinal = static_cast<std::uint32_t>(progress_.rows);
  const auto& mapping = *mappings_[table_];
  if (mapping.rows)
    mapping.rows->append({Operation::snapshot, {}, texts_, false, {}}, place, batch);
  else
    mapping.outbox->append(texts_, place, batch);
  Position position;
  position.commit_lsn = position.end_lsn = progress_.consistent_point;
  batch.mark_boundary(position, progress_.consistent_point);
  progress_.table_index = static_cast<std::uint32_t>(table_);
  last_row_ = std::move(row);
  return true;
}

// The boundary of the last row, put into words only when the batch leaves our hands.
void SnapshotReader::Impl::publish(Batch& batch) {
  if (!last_row_) return;
  const auto& table = tables_[progress_.table_index];
  progress_.last_key.assign(1, table.full_name());
  for (const auto i : table.order) progress_.last_key.emplace_back(last_row_->text(i));
  last_row_.reset();
  batch.progress.state = ProgressState::snapshot;
  batch.progress.snapshot = progress_;
}

Result<SnapshotReader::Read> SnapshotReader::Impl::read(Batch& batch) {
  Result<Read> outcome = Read::more;
  while (!batch.full()) {
    if (!running_ && table_ >= tables_.size()) {
      connection_.reset();  // ends the transaction, and its lock
      outcome = Read::finished;
      break;
    }
    if (!running_)
      if (auto started = start_query(); !started) {
        outcome = fail(std::move(started).error());
        break;
      }
    auto taken = take_row(batch);
    if (!taken) outcome = fail(std::move(taken).error());
    if (taken && !*taken) outcome = Read::would_block;
    if (!taken || !*taken) break;
  }
  publish(batch);
  return outcome;
}

SnapshotReader::SnapshotReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotReader::~SnapshotReader() = default;

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::lock_tables(const SlotSourceConfig& config) {
  auto impl = std::make_unique<Impl>(config);
  RELAY_TRY(impl->open_and_lock());
  return std::unique_ptr<SnapshotReader>(new SnapshotReader(std::move(impl)));
}

Result<SnapshotProgress> SnapshotReader::import(const std::string& exported_snapshot, Lsn consistent_point) {
  RELAY_TRY(impl_->import(exported_snapshot, consistent_point));
  return impl_->progress();
}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::resume(const SlotSourceConfig& config, SnapshotProgress from) {
  auto impl = std::make_unique<Impl>(config);
  RELAY_TRY(impl->resume(std::move(from)));
  return std::unique_ptr<SnapshotReader>(new SnapshotReader(std::move(impl)));
}

int SnapshotReader::socket() const { return impl_->socket(); }
bool SnapshotReader::wants_write() const { return impl_->wants_write(); }
Result<SnapshotReader::Read> SnapshotReader::read(Batch& batch) { return impl_->read(batch); }
const SnapshotProgress& SnapshotReader::progress() const { return impl_->progress(); }

}  // namespace relay::connectors::postgres
