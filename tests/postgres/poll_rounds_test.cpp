#include "connectors/postgres/poll_rounds.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::postgres;
using Phase = PollRounds::Phase;

namespace {

// What a server answers, and what it was asked.
struct FakeServer final : PollServer {
  std::uint64_t last = 0, next_xid = 100, oldest = 0;  // oldest 0: nothing else runs
  WalEnds ends{{500}, {500}};
  int looks = 0, barriers = 0, running = 0, disks = 0;

  Result<std::uint64_t> last_id() override {
    ++looks;
    return last;
  }
  Result<Barrier> raise_barrier() override {
    ++barriers;
    const auto xid = next_xid++;
    return Barrier{xid, oldest ? oldest : xid};
  }
  Result<std::uint64_t> oldest_running() override {
    ++running;
    return oldest ? oldest : next_xid;
  }
  Result<WalEnds> wal_ends() override {
    ++disks;
    return ends;
  }
};

struct Fixture {
  FakeServer server;
  PollRounds rounds{server, Millis{5}, Millis{1'000}};
  SteadyTime now{std::chrono::hours(1)};

  void begin(std::uint64_t position) { rounds.begin(position, now); }
  // Until it is time, then one step.
  void advance() {
    now = std::max(now, rounds.due());
    REQUIRE(rounds.advance(now));
  }
};

}  // namespace

TEST_CASE("an idle table costs one look at a time, ever rarer, and no transaction id") {
  Fixture f;
  f.server.last = 40;
  f.begin(40);
  auto before = f.now;
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 12; ++i) {
    f.advance();
    pauses.push_back(std::chrono::duration_cast<Millis>(f.rounds.due() - f.now).count());
  }
  CHECK(pauses == std::vector<std::int64_t>{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000});
  CHECK(f.server.looks == 12);
  CHECK(f.server.barriers + f.server.running + f.server.disks == 0);
  CHECK(f.rounds.phase() == Phase::idle);
  CHECK(f.now > before);
}

TEST_CASE("nothing is asked before its time") {
  Fixture f;
  f.begin(0);
  f.advance();
  REQUIRE(f.rounds.advance(f.now));
  CHECK(f.server.looks == 1);
  f.rounds.look_now(f.now);
  REQUIRE(f.rounds.advance(f.now));
  CHECK(f.server.looks == 2);
}

TEST_CASE("rows are read at once when nothing older runs") {
  Fixture f;
  f.server.last = 7;
  f.begin(3);
  f.advance();
  CHECK(f.rounds.phase() == Phase::reading);
  CHECK(f.rounds.upper() == 7);
  CHECK(f.rounds.position() == 3);
  CHECK(f.server.barriers == 1);
  CHECK(f.server.running == 0);
}

TEST_CASE("rows are not read before everything older than the barrier has ended") {
  Fixture f;
  f.server.last = 7;
  f.server.oldest = 60;
  f.begin(3);
  f.advance();
  CHECK(f.rounds.phase() == Phase::waiting);
  CHECK(f.rounds.waits_for() == 60);
  f.server.last = 90;  // ids that are given out meanwhile belong to the next round
  f.server.oldest = 99;
  f.advance();
  CHECK(f.rounds.phase() == Phase::waiting);
  CHECK(f.rounds.waits_for() == 99);
  f.server.oldest = 100;  // the barrier itself
  f.advance();
  CHECK(f.rounds.phase() == Phase::reading);
  CHECK(f.rounds.upper() == 7);
  CHECK(f.server.barriers == 1);
}

TEST_CASE("looks at what runs become rarer, but never rare") {
  Fixture f;
  f.server.last = 1;
  f.server.oldest = 60;
  f.begin(0);
  for (int i = 0; i < 20; ++i) f.advance();
  CHECK(f.rounds.due() - f.now == Millis{100});
}

TEST_CASE("what was read leaves only when the WAL written until then is on disk") {
  Fixture f;
  f.server.last = 7;
  f.begin(3);
  f.advance();
  f.server.ends = {{900}, {800}};
  REQUIRE(f.rounds.settle(6, f.now));
  CHECK(f.rounds.phase() == Phase::settling);
  CHECK(f.rounds.position() == 3);
  f.server.ends = {{2'000}, {899}};  // WAL written later does not count
  f.advance();
  CHECK(f.rounds.phase() == Phase::settling);
  f.server.ends = {{2'000}, {900}};
  f.advance();
  CHECK(f.rounds.phase() == Phase::reading);
  CHECK(f.rounds.position() == 6);
}

TEST_CASE("the position is the highest id that left, never the sequence's") {
  Fixture f;
  f.server.last = 131;
  f.begin(90);
  f.advance();
  REQUIRE(f.rounds.settle(97, f.now));
  CHECK(f.rounds.passed() == 0);
  f.rounds.finish(f.now);
  CHECK(f.rounds.position() == 97);
  CHECK(f.rounds.passed() == 132);  // all the same, nothing up to 131 is still to come
  f.server.last = 110;              // a crash: ids from 98 on are given out again
  f.advance();
  CHECK(f.rounds.phase() == Phase::reading);
  CHECK(f.rounds.upper() == 110);
}

TEST_CASE("ids that all rolled back burn one transaction id, not one each time") {
  Fixture f;
  f.server.last = 9;
  f.begin(3);
  f.advance();
  f.rounds.finish(f.now);
  for (int i = 0; i < 5; ++i) f.advance();
  CHECK(f.server.barriers == 1);
  CHECK(f.rounds.position() == 3);
}

TEST_CASE("a sequence behind what was delivered is refused with the id") {
  Fixture f;
  f.server.last = 130;
  f.begin(131);
  const auto refused = f.rounds.advance(f.now);
  REQUIRE(!refused);
  CHECK(refused.error().kind == ErrorKind::fatal);
  CHECK(refused.error().code == "ids_behind_progress");
  CHECK(refused.error().message.find("131") != std::string::npos);
}

TEST_CASE("an empty table has passed everything up to its first id") {
  Fixture f;
  f.begin(0);
  f.advance();
  CHECK(f.rounds.passed() == 1);
}
