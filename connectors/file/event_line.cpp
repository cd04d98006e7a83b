#include "connectors/file/event_line.h"

#include <chrono>
#include <string_view>

#include "relay/base/json_text.h"

namespace relay::connectors::file {
namespace {

enum class As { text, json_if_it_is };

// `"name":value`. A field that holds no text is written as "<name>_base64", so that no byte is lost or altered.
void append_field(std::string_view name, std::string_view value, As as, std::string& out) {
  const bool null = value.data() == nullptr;
  const bool json = !null && as == As::json_if_it_is && is_json(value);
  const bool binary = !null && !json && !is_utf8(value);
  if (!binary) {
    append_quoted(name, out);
  } else {
    append_quoted(std::string(name) + "_base64", out);
  }
  out += ':';
  if (null) {
    out += "null";
  } else if (json) {
    append_on_one_line(value, out);
  } else if (binary) {
    append_base64(value, out);
  } else {
    append_quoted(value, out);
  }
}

void append_padded(std::int64_t number, int width, std::string& out) {
  const auto digits = std::to_string(number);
  for (auto n = static_cast<int>(digits.size()); n < width; ++n) out += '0';
  out += digits;
}

// ISO 8601 in UTC with microseconds, which is all that PostgreSQL has; null when the event has no commit time.
void append_time(std::int64_t micros, std::string& out) {
  if (micros == 0) {
    out += "null";
    return;
  }
  namespace chr = std::chrono;
  const chr::sys_time<chr::microseconds> time{chr::microseconds(micros)};
  const auto day = chr::floor<chr::days>(time);
  const chr::year_month_day date{day};
  const chr::hh_mm_ss clock{time - day};
  out += '"';
  append_padded(static_cast<int>(date.year()), 4, out);
  out += '-';
  append_padded(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  append_padded(static_cast<unsigned>(date.day()), 2, out);
  out += 'T';
  append_padded(clock.hours().count(), 2, out);
  out += ':';
  append_padded(clock.minutes().count(), 2, out);
  out += ':';
  append_padded(clock.seconds().count(), 2, out);
  out += '.';
  append_padded(clock.subseconds().count(), 6, out);
  out += "Z\"";
}

void append_headers(const Event& event, std::string& out) {
  out += ",\"headers\":{";
  bool first = true;
  for (const auto& header : event.headers) {
    if (!first) out += ',';
    first = false;
    append_field(header.name, header.value, As::text, out);
  }
  out += '}';
}

}  // namespace

void append_event_line(const Event& event, std::string& out) {
  out += "{\"sequence\":";
  out += std::to_string(event.sequence);
  const auto text = [&](std::string_view name, std::string_view value) {
    out += ',';
    append_field(name, value, As::text, out);
  };
  text("id", event.id);
  text("aggregate_type", event.aggregate_type);
  text("aggregate_id", event.aggregate_id);
  text("event_type", event.event_type);
  out += ',';
  append_field("payload", event.payload, As::json_if_it_is, out);
  append_headers(event, out);
  out += ",\"commit_lsn\":";
  const bool has_lsn = event.commit_lsn && event.place == PlaceKind::lsn;
  out += has_lsn ? '"' + to_string(event.commit_lsn) + '"' : "null";
  out += ",\"committed_at\":";
  append_time(event.commit_time_us, out);
  out += "}\n";
}

Result<void> fill_with_lines(const Batch& batch, std::size_t& next, std::size_t enough, std::string& out) {
  out.clear();
  const auto& events = batch.events();
  for (; next < events.size() && out.size() < enough; ++next) {
    const auto& event = events[next];
    if (event.left_out()) continue;
    // Configuration checks exclude it; were it left out here, the batch would be acknowledged without it.
    if (event.disposition != Disposition::deliver)
      return fail(
          ErrorKind::fatal, "dead_letter_unsupported",
          "cannot write event " + std::to_string(event.sequence) + " to a dead letter topic: this sink has none",
          "set on_reject to halt, or to {dead_letter: {table: true}}");
    append_event_line(event, out);
  }
  return {};
}

}  // namespace relay::connectors::file
