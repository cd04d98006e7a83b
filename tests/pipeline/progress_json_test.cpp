#include "relay/pipeline/progress_json.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

using namespace relay;

namespace {

Progress full() {
  Progress p;
  p.state = ProgressState::snapshot;
  p.pipeline = "orders";
  p.cluster_id = "abc";
  p.system_identifier = "7123456789012345678";
  p.timeline = 3;
  p.slot = "outbox_relay_orders";
  p.position = {{0x16B374D848}, {}, {0x16B374D000}, 7, 4'000'000'000u, 1'700'000'000'123'456};
  p.end_lsn = {0x16B374D900};
  p.sequence = 18'446'744'073'709'551'615ull;
  p.snapshot = {{0x100}, "10:20:15,16", 2, {"2024-01-01 00:00:00+00", "quote\" and \\ and \xc3\xa9"}, {"16384:16390"}, 12345, 2, {0x200}};
  p.fingerprint = "x;y";
  p.written_at_us = 1'700'000'000'000'001;
  return p;
}

}  // namespace

TEST_CASE("a progress record comes back from its text as it was") {
  const auto text = progress_to_json(full());
  const auto back = progress_from_json(text);
  REQUIRE(back);
  CHECK(*back == full());
  auto streaming = full();
  streaming.state = ProgressState::streaming;
  streaming.snapshot = {};
  CHECK(*progress_from_json(progress_to_json(streaming)) == streaming);
}

TEST_CASE("row ids are written as numbers under names of their own, and a record without them counts LSNs") {
  auto ids = full();
  ids.state = ProgressState::streaming;
  ids.snapshot = {};
  ids.place = PlaceKind::row_id;
  ids.position = {{131}, {131}, {}, 0, 77, 0};
  ids.end_lsn = {131};
  const auto text = progress_to_json(ids);
  CHECK(text.find("\"end_id\":131") != std::string::npos);
  CHECK(text.find("lsn") == std::string::npos);
  const auto back = progress_from_json(text);
  REQUIRE(back);
  CHECK(*back == ids);
  CHECK(progress_from_json(progress_to_json(full()))->place == PlaceKind::lsn);
}

TEST_CASE("a key that is no UTF-8 comes back byte for byte") {
  auto progress = full();
  progress.snapshot.last_key = {"public.outbox", "caf\xe9", "\xff\xfe", "plain", ""};
  const auto back = progress_from_json(progress_to_json(progress));
  REQUIRE(back);
  CHECK(*back == progress);
}

TEST_CASE("a record of a newer format version is refused by its number") {
  auto text = progress_to_json(full());
  text.replace(text.find("\"version\":1"), 11, "\"version\":9");
  const auto back = progress_from_json(text);
  REQUIRE(!back);
  CHECK(back.error().code == "progress_unreadable");
  CHECK(back.error().kind == ErrorKind::corrupt);
  CHECK(back.error().message.find("9") != std::string::npos);
}

TEST_CASE("mutated records are refused or read, never worse") {
  const char* given = std::getenv("RELAY_SEED");
  const auto seed = given ? std::strtoull(given, nullptr, 10) : 42;
  INFO("replay with RELAY_SEED=" << seed);
  std::mt19937_64 random(seed);
  const auto text = progress_to_json(full());
  for (int i = 0; i < 20'000; ++i) {
    auto mutated = text;
    for (auto n = random() % 4 + 1; n; --n) mutated[random() % mutated.size()] = static_cast<char>(random());
    if (random() % 4 == 0) mutated.resize(random() % mutated.size());
    if (const auto back = progress_from_json(mutated); !back) CHECK(back.error().code == "progress_unreadable");
  }
}
