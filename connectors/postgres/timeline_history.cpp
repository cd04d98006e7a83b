#include "connectors/postgres/timeline_history.h"

#include <algorithm>
#include <charconv>

namespace relay::connectors::postgres {
namespace {

std::string_view next_word(std::string_view& line) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!line.empty() && blank(line.front())) line.remove_prefix(1);
  const auto n = static_cast<std::size_t>(std::find_if(line.begin(), line.end(), blank) - line.begin());
  const auto word = line.substr(0, n);
  line.remove_prefix(n);
  return word;
}

}  // namespace

Result<std::vector<TimelineSwitch>> parse_timeline_history(std::string_view text) {
  std::vector<TimelineSwitch> history;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto timeline = next_word(line);
    if (timeline.empty() || timeline.front() == '#') continue;
    TimelineSwitch entry;
    const auto [at, error] = std::from_chars(timeline.data(), timeline.data() + timeline.size(), entry.timeline);
    const auto point = parse_lsn(next_word(line));
    if (error != std::errc{} || at != timeline.data() + timeline.size() || !point)
      return fail(ErrorKind::corrupt, "timeline_history_unreadable",
                  "reading the server's timeline history: a line is not of the form 'timeline LSN reason'",
                  "look at the newest .history file in the server's pg_wal");
    entry.switch_point = *point;
    history.push_back(entry);
  }
  return history;
}

}  // namespace relay::connectors::postgres
