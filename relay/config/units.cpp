#include "relay/config/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

namespace relay::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> kDurations{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 9> kSizes{{{"B", 1},
                                      {"kB", 1'000},
                                      {"KiB", 1ull << 10},
                                      {"MB", 1'000'000},
                                      {"MiB", 1ull << 20},
                                      {"GB", 1'000'000'000},
                                      {"GiB", 1ull << 30},
                                      {"TB", 1'000'000'000'000},
                                      {"TiB", 1ull << 40}}};

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view name(after, static_cast<std::size_t>(end - after));
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (number > most / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units) {
  const Unit* best = &units[0];
  for (const auto& unit : units)
    if (value != 0 && value % unit.factor == 0 && value / unit.factor < value / best->factor) best = &unit;
  return std::to_string(value / best->factor) + std::string(best->name);
}

std::string without_spaces_lower(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// "10", "10 S" and "64mib" are near enough to say exactly what to write.
template <std::size_t N>
std::string hint(std::string_view text, const std::array<Unit, N>& units, std::string_view bare_unit,
                 const std::string& otherwise) {
  const auto plain = without_spaces_lower(text);
  const auto digits = std::min(plain.find_first_not_of("0123456789"), plain.size());
  if (digits == 0 || digits > 15) return otherwise;
  const auto number = plain.substr(0, digits);
  const auto name = plain.substr(digits);
  if (name.empty()) return "write " + number + std::string(bare_unit) + "; " + otherwise;
  for (const auto& unit : units)
    if (without_spaces_lower(unit.name) == name) return "write " + number + std::string(unit.name);
  return otherwise;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse(text, kDurations);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, kSizes); }

std::string format_duration(std::chrono::milliseconds value) {
  return format(static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)), kDurations);
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<Unit, 5> binary{
      {{"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}}};
  return format(bytes, binary);
}

std::string duration_hint(std::string_view text) {
  return hint(text, kDurations, "s", "a duration is a whole number and a unit: ms, s, m, h or d");
}

std::string size_hint(std::string_view text) {
  return hint(text, kSizes, "MiB", "a size is a whole number and a unit: B, KiB, MiB, GiB, TiB, kB, MB, GB or TB");
}

}  // namespace relay::config
