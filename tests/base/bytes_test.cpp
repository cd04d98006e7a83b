#include "relay/base/bytes.h"

#include <doctest/doctest.h>

using relay::ByteReader;
using namespace std::string_view_literals;

TEST_CASE("numbers are read in network byte order") {
  ByteReader in("\x01\x02\x03\xFF\xFF\xFF\xFE\x00\x00\x00\x00\x00\x00\x01\x00"sv);
  CHECK(in.u8() == 1);
  CHECK(in.u16() == 0x0203);
  CHECK(in.i32() == -2);
  CHECK(in.u64() == 256);
  CHECK(in.at_end());
  CHECK(in.ok());
}

TEST_CASE("strings end at their NUL and bytes at their count") {
  ByteReader in("abc\0de"sv);
  CHECK(in.c_string() == "abc");
  CHECK(in.bytes(2) == "de");
  CHECK(in.ok());
  CHECK(in.remaining() == 0);
}

TEST_CASE("reading past the end yields zeros and stays failed") {
  ByteReader in("\x01"sv);
  CHECK(in.u16() == 0);
  CHECK_FALSE(in.ok());
  CHECK(in.u8() == 0);
  CHECK(in.bytes(0).empty());
  CHECK(in.c_string().empty());
  CHECK_FALSE(in.ok());
}

TEST_CASE("a string without its NUL is a failure") {
  ByteReader in("abc"sv);
  CHECK(in.c_string().empty());
  CHECK_FALSE(in.ok());
}

TEST_CASE("a count larger than any memory is a failure, not an overflow") {
  ByteReader in("abc"sv);
  CHECK(in.bytes(static_cast<std::size_t>(-1)).empty());
  CHECK_FALSE(in.ok());
}
