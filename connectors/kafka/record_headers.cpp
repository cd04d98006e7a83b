#include "connectors/kafka/record_headers.h"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace relay::connectors::kafka {
namespace {

void put(rd_kafka_headers_t* to, std::string_view name, std::string_view value) {
  rd_kafka_header_add(to, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
}

std::string_view decimal(std::uint64_t number, char (&buffer)[24]) {
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return {buffer, static_cast<std::size_t>(end - buffer)};
}

}  // namespace

std::string format_utc(std::int64_t unix_micros) {
  auto seconds = static_cast<std::time_t>(unix_micros / 1'000'000);
  auto micros = unix_micros % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char day[32], out[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(out, sizeof out, "%s.%06dZ", day, static_cast<int>(micros));
  return out;
}

RecordHeaders::RecordHeaders(std::vector<HeaderSpec> specs) : specs_(std::move(specs)) {
  for (const auto& spec : specs_) sole_roles_.push_back(spec.text.sole_role());
}

void RecordHeaders::note_transaction(const Event& event) {
  if (noted_lsn_ == event.commit_lsn && !lsn_text_.empty()) return;
  noted_lsn_ = event.commit_lsn;
  lsn_text_ = to_string(event.commit_lsn);
  time_text_ = format_utc(event.commit_time_us);
  xid_text_ = std::to_string(event.xid);
}

HeadersHandle RecordHeaders::of(const Event& event) {
  const auto count = specs_.size() + event.headers.size();
  if (count == 0) return nullptr;
  HeadersHandle headers(rd_kafka_headers_new(count));
  for (std::size_t i = 0; i < specs_.size(); ++i)
    if (sole_roles_[i])
      put(headers.get(), specs_[i].name, value_of(*sole_roles_[i], event));
    else
      add(headers.get(), specs_[i], event);
  add_columns(headers.get(), event);
  return headers;
}

void RecordHeaders::add(rd_kafka_headers_t* to, const HeaderSpec& spec, const Event& event) {
  char buffer[24];
  switch (spec.value) {
    case HeaderValue::sequence: return put(to, spec.name, decimal(event.sequence, buffer));
    case HeaderValue::commit_lsn: note_transaction(event); return put(to, spec.name, lsn_text_);
    case HeaderValue::committed_at: note_transaction(event); return put(to, spec.name, time_text_);
    case HeaderValue::transaction_id: note_transaction(event); return put(to, spec.name, xid_text_);
    case HeaderValue::text: break;
  }
  scratch_.clear();
  put(to, spec.name, spec.text.render(event, scratch_) ? std::string_view(scratch_) : std::string_view());
}

void RecordHeaders::add_columns(rd_kafka_headers_t* to, const Event& event) {
  for (const auto& header : event.headers) put(to, header.name, header.value);
}

void RecordHeaders::add_place(rd_kafka_headers_t* to, const Event& event) {
  char buffer[24];
  if (event.place == PlaceKind::row_id) {
    put(to, "transaction_id", decimal(event.xid, buffer));
    put(to, "row_id", decimal(event.commit_lsn.value, buffer));
    return;
  }
  note_transaction(event);
  put(to, "commit_lsn", lsn_text_);
  put(to, "committed_at", time_text_);
  put(to, "transaction_id", xid_text_);
  put(to, "change_lsn", to_string(event.change_lsn));
  put(to, "ordinal", decimal(event.ordinal, buffer));
}

HeadersHandle RecordHeaders::of_dead_letter(const Event& event, std::string_view original_topic) {
  char buffer[24];
  HeadersHandle headers(rd_kafka_headers_new(14 + event.headers.size()));
  auto* to = headers.get();
  put(to, "error_code", event.reject_code);
  put(to, "error_reason", event.reject_reason);
  put(to, "original_topic", original_topic);
  put(to, "id", event.id);
  put(to, "type", event.event_type);
  put(to, "aggregate_type", event.aggregate_type);
  put(to, "aggregate_id", event.aggregate_id);
  put(to, "sequence", decimal(event.sequence, buffer));
  add_place(to, event);
  put(to, "source", event.source_table);
  add_columns(to, event);
  return headers;
}

}  // namespace relay::connectors::kafka
