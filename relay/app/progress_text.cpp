#include "relay/app/progress_text.h"

#include "relay/observe/escape.h"
#include "relay/observe/log_lines.h"
#include "relay/pipeline/progress_json.h"

namespace relay::app {
namespace {

std::string_view state_of(ProgressState state) {
  switch (state) {
    case ProgressState::creating:
      return "creating (the slot, or the reader, is about to be made)";
    case ProgressState::snapshot:
      return "snapshot (existing rows are being read)";
    case ProgressState::streaming:
      return "streaming";
    case ProgressState::reset:
      return "reset (the next start begins anew)";
  }
  return "unknown";
}

class Table {
 public:
  void row(std::string_view name, std::string_view value) {
    constexpr std::size_t kWidth = 14;
    if (value.empty()) return;
    out_ += "  ";
    out_ += name;
    out_.append(kWidth - name.size(), ' ');
    observe::append_printable(out_, value);
    out_ += '\n';
  }
  std::string take() && { return std::move(out_); }

 private:
  std::string out_;
};

std::string position_of(const Position& position, PlaceKind place) {
  if (!position.commit_lsn) return "no transaction of the stream yet";
  auto out = (place == PlaceKind::lsn ? "commit " : "") + place_text(place, position.commit_lsn);
  if (position.inside_transaction())
    out += ", inside the transaction at " + to_string(position.change_lsn) + " #" + std::to_string(position.ordinal);
  if (position.xid != 0) out += ", transaction " + std::to_string(position.xid);
  if (position.commit_time_us != 0) out += ", committed " + observe::timestamp(position.commit_time_us);
  return out;
}

}  // namespace

std::string progress_text(const std::string& pipeline, const std::optional<Progress>& progress) {
  if (!progress) return "pipeline " + pipeline + "\n  nothing is stored yet\n";
  Table table;
  table.row("state", state_of(progress->state));
  table.row("sequence", std::to_string(progress->sequence));
  table.row("position", position_of(progress->position, progress->place));
  const bool ids = progress->place == PlaceKind::row_id;
  if (ids)
    table.row("delivered", "up to " + place_text(progress->place, progress->end_lsn));
  else if (progress->end_lsn)
    table.row("end LSN", to_string(progress->end_lsn) + " (everything below is delivered or was not ours)");
  table.row(ids ? "ids of" : "slot", progress->slot);
  table.row("database", "system " + progress->system_identifier + ", timeline " + std::to_string(progress->timeline));
  table.row("Kafka cluster", progress->cluster_id);
  if (progress->state == ProgressState::snapshot)
    table.row("initial rows", std::to_string(progress->snapshot.rows) + " so far");
  if (progress->written_at_us != 0) table.row("written", observe::timestamp(progress->written_at_us));
  return "pipeline " + pipeline + "\n" + std::move(table).take();
}

std::string progress_list_json(const std::vector<StoredProgress>& all) {
  std::string out = "{\"pipelines\":[";
  for (const auto& [name, progress] : all) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    observe::append_json_string(out, name);
    out += ",\"progress\":" + (progress ? progress_to_json(*progress) : "null") + "}";
  }
  return out + "]}\n";
}

std::string short_progress(const std::optional<Progress>& progress) {
  if (!progress) return "nothing";
  const bool ids = progress->place == PlaceKind::row_id;
  const bool known = progress->end_lsn || ids;
  const auto place = known ? place_text(progress->place, progress->end_lsn) : std::string("no position");
  return place + ", sequence " + std::to_string(progress->sequence);
}

}  // namespace relay::app
