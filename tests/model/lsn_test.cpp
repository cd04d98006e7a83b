#include "relay/model/lsn.h"

#include <doctest/doctest.h>

using relay::Lsn;
using relay::parse_lsn;
using relay::to_string;

TEST_CASE("an LSN prints as PostgreSQL prints it and reads back") {
  for (const std::uint64_t value : {0ull, 1ull, 0x16B374D848ull, 0xFFFFFFFFull, 0x100000000ull, 0xFFFFFFFFFFFFFFFFull})
    CHECK(parse_lsn(to_string(Lsn{value})) == Lsn{value});
  CHECK(to_string(Lsn{0x16B374D848}) == "16/B374D848");
  CHECK(to_string(Lsn{0x1000000A0}) == "1/A0");
  CHECK(parse_lsn("16/b374d848") == Lsn{0x16B374D848});
}

TEST_CASE("what is no LSN is refused") {
  for (const char* bad : {"", "/", "16", "16/", "/1", "16/B374D848X", "G/0", "1/2/3", "123456789/0", "0/123456789",
                          " 1/2", "-1/2", "0x1/2"})
    CHECK_FALSE(parse_lsn(bad));
}

TEST_CASE("LSNs compare by position and 0 is no position") {
  CHECK(Lsn{1} < Lsn{2});
  CHECK_FALSE(static_cast<bool>(Lsn{}));
}
