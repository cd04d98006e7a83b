#include "relay/config/units.h"

#include <doctest/doctest.h>

#include "relay/config/suggest.h"

using namespace relay::config;
using namespace std::chrono_literals;

TEST_CASE("durations and sizes are read exactly and overflow is refused") {
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("0ms") == 0ms);
  CHECK(parse_duration("7d") == 168h);
  for (const char* bad : {"", "s", "10", "-1s", "1 s", "1h30m", "9223372036854775807s", "18446744073709551616ms"})
    CHECK_FALSE(parse_duration(bad));
  CHECK(parse_size("64MiB") == 64u << 20);
  CHECK(parse_size("5MB") == 5'000'000);
  CHECK(parse_size("8191TiB"));
  for (const char* bad : {"64", "64mib", "64M", "9999999999TiB"}) CHECK_FALSE(parse_size(bad));
}

TEST_CASE("durations and sizes are written in the largest unit that is exact") {
  CHECK(format_duration(90'000ms) == "90s");
  CHECK(format_duration(0ms) == "0ms");
  CHECK(format_duration(24h) == "1d");
  CHECK(format_size(64u << 20) == "64MiB");
  CHECK(format_size(1000) == "1000B");
  for (const auto ms : {1ms, 1500ms, 60'000ms, 86'400'001ms}) CHECK(parse_duration(format_duration(ms)) == ms);
}

TEST_CASE("the nearest known word is found unless it is far away") {
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(nearest("boostrap_server", {"topic", "bootstrap_servers"}) == "bootstrap_servers");
  CHECK(nearest("Bootstrap-Servers", {"bootstrap_servers"}) == "bootstrap_servers");
  CHECK_FALSE(nearest("retention", {"topic", "key"}));
  CHECK(suggestion("rnu", {"run", "drain"}) == "did you mean run?");
  CHECK(suggestion("xyzzy", {"run", "drain"}) == "known are run and drain");
  CHECK(listed({"a", "b", "c"}) == "a, b or c");
}
