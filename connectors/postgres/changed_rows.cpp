#include "connectors/postgres/changed_rows.h"

#include <functional>

namespace relay::connectors::postgres {
namespace {

std::uint64_t hash(std::string_view table, std::string_view id) {
  const std::hash<std::string_view> h;
  return h(id) * 0x9e3779b97f4a7c15u ^ h(table);
}

}  // namespace

void ChangedRows::begin_stream(const Progress& from) {
  *this = ChangedRows{};
  const auto& snapshot = from.snapshot;
  watching_ = snapshot.resumed > 0 && from.end_lsn < snapshot.resumed_at;
  consistent_point_ = snapshot.consistent_point;
  resumed_at_ = snapshot.resumed_at;
}

void ChangedRows::begin(Lsn commit_lsn) {
  if (watching_ && commit_lsn > resumed_at_) *this = ChangedRows{};
}

void ChangedRows::inserted(std::string_view table, std::string_view id) {
  if (young_.size() >= kGeneration) {
    old_ = std::move(young_);
    young_.clear();
  }
  young_.insert(hash(table, id));
}

void ChangedRows::changed(std::string_view table, std::string_view id, Naming naming) {
  if (!id.empty()) {
    const auto key = hash(table, id);
    if (young_.contains(key) || old_.contains(key)) return;
    if (naming == Naming::event_id && named_.size() < kNamed) named_.emplace_back(id);
  }
  suspect(table);
}

void ChangedRows::truncated(std::string_view table) {
  truncated_ = true;
  suspect(table);
}

void ChangedRows::suspect(std::string_view table) {
  if (count_++ == 0) table_ = table;
}

Result<void> ChangedRows::commit(OnChangedRow reaction, const std::string& pipeline, const Logger& log) {
  if (count_ == 0) return {};
  std::string ids;
  for (const auto& id : named_) ids += (ids.empty() ? " (ids " : ", ") + id;
  if (!ids.empty()) ids += count_ > named_.size() ? ", ...)" : ")";
  Error error{
      ErrorKind::fatal, "snapshot_rows_changed",
      "following table " + table_ + " after its initial read was interrupted and resumed: " +
          (truncated_ ? "it was truncated" : std::to_string(count_) + " existing rows were changed" + ids) +
          " before the read could reach them; they may not have been delivered",
      "compare these rows with what the consumers have; then go on with source.snapshot.on_changed_row: report, or "
      "read everything again: outbox-relay progress reset -c FILE --pipeline " +
          pipeline};
  named_.clear();
  count_ = 0;
  truncated_ = false;
  if (reaction == OnChangedRow::refuse) return fail(std::move(error));
  log.failure(LogLevel::warn, error);
  return {};
}

}  // namespace relay::connectors::postgres
