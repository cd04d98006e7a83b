#include "connectors/postgres/dead_letter_rows.h"

#include <nlohmann/json.hpp>
#include <numeric>

namespace relay::connectors::postgres {

namespace {

// bytea's text form.
std::string hexadecimal(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "\\x";
  text.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::string headers_json(std::span<const Header> headers) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& header : headers) {
    auto& entry = list.emplace_back();
    entry["name"] = header.name;
    if (header.value.data() == nullptr)
      entry["value"] = nullptr;
    else
      entry["value"] = header.value;
  }
  return list.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void DeadLetterRows::put(std::size_t column, std::string_view text) {
  auto& array = arrays_[column];
  array += count_ == 0 ? '{' : ',';
  if (text.data() == nullptr) {
    array += "NULL";
    return;
  }
  array += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

// The event as it was in the database, from which it never leaves here; what became of it, as it is now.
void DeadLetterRows::add(const Event& rejected) {
  const Event& event = rejected.unscrubbed != nullptr ? *rejected.unscrubbed : rejected;
  std::size_t column = 0;
  const auto next = [&](std::string_view text) { put(column++, text); };
  next(to_string(event.commit_lsn));
  next(to_string(event.change_lsn));
  next(std::to_string(event.ordinal));
  next(std::to_string(event.sequence));
  next(event.id);
  next(event.aggregate_type);
  next(event.aggregate_id);
  next(event.event_type);
  next(event.is_tombstone() ? std::string_view{} : hexadecimal(event.payload));
  next(headers_json(event.headers));
  next(event.source_table);
  next(event.from_snapshot ? "t" : "f");
  next(event.commit_time_us == 0 ? std::string_view{} : std::to_string(event.commit_time_us));
  next(rejected.reject_code);
  next(rejected.reject_reason);
  ++count_;
}

std::size_t DeadLetterRows::bytes() const {
  return std::accumulate(arrays_.begin(), arrays_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& array) { return sum + array.size(); });
}

std::vector<std::optional<std::string>> DeadLetterRows::take_parameters(const std::string& pipeline) {
  std::vector<std::optional<std::string>> parameters{pipeline};
  for (auto& array : arrays_) {
    parameters.emplace_back(std::move(array) + '}');
    array.clear();
  }
  count_ = 0;
  return parameters;
}

}  // namespace relay::connectors::postgres
