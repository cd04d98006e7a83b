// libFuzzer target: the content of a logical message. Another parser must agree on what is JSON.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "connectors/postgres/message_events.h"

using namespace relay::connectors::postgres;

namespace {

// nullopt where the two are known to differ: numbers that fit into no double, a byte order mark, NUL, very deep nesting.
std::optional<bool> is_json(std::string_view text) {
  int depth = 0;
  for (const char c : text) depth += c == '[' || c == '{';
  if (depth > 500 || text.find('\0') != text.npos || text.starts_with("\xef\xbb\xbf")) return std::nullopt;
  try {
    return nlohmann::json::parse(text).is_structured();
  } catch (const nlohmann::json::out_of_range&) {
    return std::nullopt;
  } catch (const nlohmann::json::parse_error&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static MessageEvents events;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto& found = events.parse(text);
  std::size_t bytes = 0;
  for (const auto& e : found) {
    for (const auto part : {e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.payload, e.problem})
      for (const char c : part) bytes += static_cast<unsigned char>(c);
    for (const auto& h : e.headers)
      for (const auto part : {h.name, h.value})
        for (const char c : part) bytes += static_cast<unsigned char>(c);
  }
  if (bytes == SIZE_MAX) std::abort();  // never; every byte was looked at
  const auto expected = is_json(text);
  const bool taken = !(found.size() == 1 && found[0].problem == "the message is no JSON") &&
                     !(found.size() == 1 && found[0].problem == "an event must be a JSON object" && found[0].payload == text);
  if (expected && *expected != taken) std::abort();
  return 0;
}
