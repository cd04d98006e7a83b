// A PostgreSQL log sequence number: a byte position in the WAL, printed as two hexadecimal halves ("16/B374D848").
// https://www.postgresql.org/docs/current/datatype-pg-lsn.html
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay {

struct Lsn {
  std::uint64_t value = 0;  // 0 is never a valid position

  explicit operator bool() const { return value != 0; }
  auto operator<=>(const Lsn&) const = default;
};

std::string to_string(Lsn lsn);
std::optional<Lsn> parse_lsn(std::string_view text);

// What the numbers of a position count: bytes of the WAL, or ids of the rows of an outbox table, which a source without
// a slot reads. Ids take the place of LSNs everywhere in the protocol; only where people read them they must differ.
enum class PlaceKind : std::uint8_t { lsn, row_id };
std::string place_text(PlaceKind kind, Lsn place);  // "16/B374D848", "id 131"

}  // namespace relay
