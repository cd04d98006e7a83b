// Durations and sizes as people write them: a whole number and a unit, nothing else. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::config {

// "10s", "500ms", "5m", "1h", "7d".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// "64MiB", "1GiB", "100B", "5MB". nullopt also when it does not fit into 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text);

// The shortest exact form: 90000 ms is "90s", 67108864 is "64MiB".
std::string format_duration(std::chrono::milliseconds value);
std::string format_size(std::uint64_t bytes);

// What to write instead of a text that is no duration or size: "write 10s", or the list of units.
std::string duration_hint(std::string_view text);
std::string size_hint(std::string_view text);

}  // namespace relay::config
