#include "relay/policy/sample_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "relay/policy/survey.h"

namespace relay::policy {
namespace {

using Json = nlohmann::json;

// The bytes of a member, as they stand: what a number looks like must not change on the way.
std::string_view raw_member(std::string_view line, std::string_view name) {
  std::string_view found;
  int depth = 0;
  bool in_text = false;
  std::size_t begin = 0, value = 0;
  std::string last;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c != '"') continue;
      in_text = false;
      if (depth == 1 && value == 0) last = line.substr(begin, i - begin);
    } else if (c == '"') {
      in_text = true;
      begin = i + 1;
    } else if (depth == 1 && c == ':' && value == 0) {
      value = i + 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((depth == 1 && (c == ',' || c == '}')) || c == '}' || c == ']') {
      if (depth == 1 && value != 0 && last == name) found = line.substr(value, i - value);
      if (depth == 1) value = 0;
      if (c != ',') --depth;
    }
  }
  return found;
}

std::string_view text_of(const Json& line, const char* name, Arena& arena) {
  const auto at = line.find(name);
  if (at == line.end() || at->is_null()) return {};
  return arena.copy(at->is_string() ? at->get<std::string>() : at->dump());
}

void add_headers(const Json& line, Event& event, Arena& arena) {
  const auto at = line.find("headers");
  if (at == line.end() || !at->is_object()) return;
  const auto headers = arena.array<Header>(at->size());
  std::size_t n = 0;
  for (const auto& [name, value] : at->items())
    headers[n++] = {arena.copy(name), value.is_null()
                                          ? std::string_view{}
                                          : arena.copy(value.is_string() ? value.get<std::string>() : value.dump())};
  event.headers = headers;
}

void add_event(const std::string& line, const Json& parsed, const SampleKind& kind, Batch& out) {
  auto& arena = out.arena();
  auto& event = out.add(line.size());
  const bool whole = parsed.contains("payload") && parsed.contains("aggregate_type");
  event.sequence = out.events().size();
  event.id = whole ? text_of(parsed, "id", arena) : std::string_view("(sample)");
  event.aggregate_type = whole ? text_of(parsed, "aggregate_type", arena) : arena.copy(kind.aggregate_type);
  event.event_type = whole ? text_of(parsed, "event_type", arena) : arena.copy(kind.event_type);
  event.aggregate_id = whole ? text_of(parsed, "aggregate_id", arena) : std::string_view("(sample)");
  event.source_table = arena.copy(kind.table);
  if (!whole) {
    event.payload = arena.copy(line);
    return;
  }
  add_headers(parsed, event, arena);
  const auto& payload = parsed["payload"];
  if (payload.is_null()) return;
  auto raw = raw_member(line, "payload");
  event.payload = payload.is_string() ? arena.copy(payload.get<std::string>()) : arena.copy(raw);
}

}  // namespace

Result<void> read_sample(const std::string& file, const SampleKind& kind, std::size_t most, Batch& out) {
  const auto unreadable = [&](const std::string& why) {
    return fail(ErrorKind::fatal, "sample_unreadable", "reading events from " + file + ": " + why,
                "one JSON object a line: events as the file sink writes them, or payloads");
  };
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return unreadable(std::strerror(errno != 0 ? errno : ENOENT));
  std::string line;
  for (std::size_t number = 1; out.events().size() < most && std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto parsed = Json::parse(line, nullptr, false);
    if (!parsed.is_object()) return unreadable("line " + std::to_string(number) + " is no JSON object");
    add_event(line, parsed, kind, out);
  }
  return {};
}

}  // namespace relay::policy
