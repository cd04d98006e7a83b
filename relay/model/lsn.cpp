#include "relay/model/lsn.h"

#include <charconv>
#include <cstdio>

namespace relay {

std::string to_string(Lsn lsn) {
  char text[20];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn.value >> 32), static_cast<unsigned>(lsn.value));
  return text;
}

std::string place_text(PlaceKind kind, Lsn place) {
  return kind == PlaceKind::row_id ? "id " + std::to_string(place.value) : to_string(place);
}

std::optional<Lsn> parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto half = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint32_t v = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), v, 16);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return v;
  };
  const auto high = half(text.substr(0, slash));
  const auto low = half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{(*high << 32) | *low};
}

}  // namespace relay
