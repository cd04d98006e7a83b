#include "connectors/postgres/stream_cursor.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <vector>

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

struct Transaction {
  std::uint64_t commit_lsn;
  std::uint32_t xid;
  std::vector<std::uint64_t> changes;  // their LSNs

  Lsn end() const { return Lsn{commit_lsn + 48}; }
  std::int64_t time() const { return static_cast<std::int64_t>(commit_lsn) * 1000; }
  Position between() const { return {Lsn{commit_lsn}, end(), {}, 0, xid, time()}; }
  Position inside(std::uint64_t change, std::uint32_t ordinal) const {
    return {Lsn{commit_lsn}, {}, Lsn{change}, ordinal, xid, time()};
  }
};

Progress after(const Position& position, Lsn end_lsn) {
  Progress p;
  p.position = position;
  p.end_lsn = end_lsn;
  return p;
}

// Plays transactions and notes what is taken: the LSN and ordinal of each change that was not handed over before.
struct Player {
  StreamCursor cursor;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> taken;

  Result<void> play(const Transaction& t) {
    RELAY_TRY(cursor.begin(Lsn{t.commit_lsn}, t.xid, t.time()));
    bool took_part = false;
    for (const auto lsn : t.changes) {
      RELAY_ASSIGN(const bool dropped, cursor.change(Lsn{lsn}));
      if (dropped) continue;
      took_part = true;
      taken.emplace_back(lsn, cursor.ordinal());
    }
    return cursor.commit(Lsn{t.commit_lsn}, t.end(), took_part);
  }
};

const Transaction kFirst{1000, 7, {900, 910}};
const Transaction kCopied{2000, 8, {1500, 1500, 1500, 1600}};  // rows of one COPY share their LSN
const Transaction kEmpty{2500, 9, {}};
const Transaction kLast{3000, 10, {950, 2900}};  // row LSNs go back between interleaved transactions

std::string code(const Result<void>& result) { return result ? "" : result.error().code; }

}  // namespace

TEST_CASE("without a position everything is taken") {
  Player p{StreamCursor(after({}, Lsn{500}), Lsn{500}), {}};
  for (const auto& t : {kFirst, kCopied, kEmpty, kLast}) REQUIRE(p.play(t));
  CHECK(p.taken.size() == 8);
  CHECK(p.cursor.position() == kLast.between());
  CHECK(p.cursor.end_lsn() == kLast.end());
}

TEST_CASE("changes are counted among those of their transaction with the same LSN") {
  Player p{StreamCursor(after({}, Lsn{500}), Lsn{500}), {}};
  REQUIRE(p.play(kCopied));
  using Taken = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  CHECK(p.taken == Taken{{1500, 1}, {1500, 2}, {1500, 3}, {1600, 1}});
}

TEST_CASE("a transaction that begins exactly where the slot does is taken") {
  Player p{StreamCursor(after({}, Lsn{1000}), Lsn{1000}), {}};
  REQUIRE(p.play(kFirst));
  CHECK(p.taken.size() == 2);
}

TEST_CASE("after a reconnect everything up to the position is dropped, and what follows is taken") {
  Player p{StreamCursor(after(kCopied.between(), kCopied.end()), Lsn{800}), {}};
  REQUIRE(p.play(kFirst));
  REQUIRE(p.play(kCopied));
  CHECK(p.taken.empty());
  CHECK(p.cursor.position() == kCopied.between());
  REQUIRE(p.play(kLast));
  CHECK(p.taken.size() == 2);
}

TEST_CASE("transactions below the stored end LSN were looked at before, also when no event came of them") {
  // The slot's position went back at a crash of the server, below transactions that concerned nobody.
  Player p{StreamCursor(after(kFirst.between(), Lsn{2100}), Lsn{800}), {}};
  REQUIRE(p.play(kFirst));
  REQUIRE(p.play(kCopied));
  CHECK(p.taken.empty());
  CHECK(p.cursor.end_lsn() == Lsn{2100});
  REQUIRE(p.play(kLast));
  CHECK(p.taken.size() == 2);
}

TEST_CASE("a position inside a transaction is met exactly, among changes that share their LSN") {
  Player p{StreamCursor(after(kCopied.inside(1500, 2), kFirst.end()), kFirst.end()), {}};
  REQUIRE(p.play(kCopied));
  using Taken = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  CHECK(p.taken == Taken{{1500, 3}, {1600, 1}});
  CHECK(p.cursor.position() == kCopied.between());
}

TEST_CASE("a split transaction of which nothing is left still ends") {
  Player p{StreamCursor(after(kCopied.inside(1600, 1), kFirst.end()), kFirst.end()), {}};
  REQUIRE(p.play(kCopied));
  CHECK(p.taken.empty());
  CHECK(p.cursor.position() == kCopied.between());
  CHECK(p.cursor.end_lsn() == kCopied.end());
}

TEST_CASE("a stored change that does not come again is refused, not counted past") {
  auto filtered = kCopied;
  filtered.changes = {1500, 1600};  // a row filter was added meanwhile
  Player p{StreamCursor(after(kCopied.inside(1500, 2), kFirst.end()), kFirst.end()), {}};
  const auto played = p.play(filtered);
  CHECK(code(played) == "position_not_found");
  CHECK(played.error().kind == ErrorKind::corrupt);
  CHECK(p.taken.empty());
}

TEST_CASE("the transaction delivered last must appear again when the slot does not lie behind it") {
  SUBCASE("another transaction comes instead") {
    Player p{StreamCursor(after(kFirst.between(), kFirst.end()), Lsn{1000}), {}};
    CHECK(code(p.play(kCopied)) == "position_not_found");
    CHECK(p.taken.empty());
  }
  SUBCASE("another transaction was committed at its place") {
    auto other = kFirst;
    other.xid = 77;
    Player p{StreamCursor(after(kFirst.between(), kFirst.end()), Lsn{1000}), {}};
    CHECK(code(p.play(other)) == "position_not_found");
  }
  SUBCASE("the server says it has nothing more") {
    Player p{StreamCursor(after(kFirst.between(), kFirst.end()), Lsn{1000}), {}};
    CHECK(p.cursor.reached(Lsn{999}));
    CHECK(code(p.cursor.reached(Lsn{4000})) == "position_not_found");
  }
  SUBCASE("the slot was confirmed past it, so it is not sent again") {
    Player p{StreamCursor(after(kFirst.between(), kFirst.end()), kFirst.end()), {}};
    REQUIRE(p.play(kCopied));
    CHECK(p.taken.size() == 4);
  }
}

TEST_CASE("transactions without an event move the end LSN and not the position") {
  Player p{StreamCursor(after({}, Lsn{500}), Lsn{500}), {}};
  REQUIRE(p.play(kFirst));
  REQUIRE(p.play(kEmpty));
  CHECK(p.cursor.position() == kFirst.between());
  CHECK(p.cursor.end_lsn() == kEmpty.end());
  REQUIRE(p.cursor.reached(Lsn{2600}));
  CHECK(p.cursor.end_lsn() == Lsn{2600});
}

TEST_CASE("the end LSN never goes back") {
  StreamCursor cursor(after(kFirst.between(), Lsn{5000}), Lsn{5000});
  REQUIRE(cursor.reached(Lsn{1200}));
  CHECK(cursor.end_lsn() == Lsn{5000});
}

TEST_CASE("a keepalive inside a transaction moves nothing") {
  StreamCursor cursor(after({}, Lsn{500}), Lsn{500});
  REQUIRE(cursor.begin(Lsn{1000}, 7, 0));
  REQUIRE(cursor.reached(Lsn{990}));
  CHECK(cursor.end_lsn() == Lsn{500});
}

TEST_CASE("a stream out of order is refused") {
  StreamCursor cursor(after({}, Lsn{500}), Lsn{500});
  CHECK_FALSE(cursor.change(Lsn{900}));
  CHECK_FALSE(cursor.commit(Lsn{1000}, Lsn{1048}, false));
  REQUIRE(cursor.begin(Lsn{1000}, 7, 0));
  CHECK_FALSE(cursor.begin(Lsn{1100}, 8, 0));
  CHECK_FALSE(cursor.change(Lsn{}));
  CHECK_FALSE(cursor.commit(Lsn{1001}, Lsn{1048}, false));
  REQUIRE(cursor.commit(Lsn{1000}, Lsn{1048}, false));
  const auto again = cursor.begin(Lsn{1000}, 7, 0);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == "stream_out_of_order");
  CHECK(again.error().kind == ErrorKind::corrupt);
}

TEST_CASE("whatever change a run stops after, the next run takes exactly the rest") {
  const char* given = std::getenv("RELAY_TEST_SEED");
  const auto seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Transaction> history;
    std::uint64_t at = 1000;
    for (auto n = 1 + random() % 6; n > 0; --n) {
      Transaction t{0, static_cast<std::uint32_t>(100 + n), {}};
      for (auto changes = random() % 8; changes > 0; --changes) t.changes.push_back(at += random() % 3 == 0 ? 0 : 10);
      t.commit_lsn = at += 10;
      at += 48;
      history.push_back(t);
    }
    Player whole{StreamCursor(after({}, Lsn{500}), Lsn{500}), {}};
    for (const auto& t : history) REQUIRE(whole.play(t));

    // The same, stopping after every change; each run begins at a slot position that may lie further back.
    std::vector<std::pair<std::uint64_t, std::uint32_t>> taken;
    Position position;
    Lsn end{500}, slot{500};
    for (std::size_t run = 0; run <= whole.taken.size(); ++run) {
      StreamCursor cursor(after(position, end), slot);
      bool stopped = false;
      for (const auto& t : history) {
        if (stopped || Lsn{t.commit_lsn} < slot) continue;
        REQUIRE(cursor.begin(Lsn{t.commit_lsn}, t.xid, t.time()));
        for (const auto lsn : t.changes) {
          const auto dropped = cursor.change(Lsn{lsn});
          REQUIRE(dropped);
          if (*dropped) continue;
          taken.emplace_back(lsn, cursor.ordinal());
          position = cursor.inside();
          end = cursor.end_lsn();
          stopped = true;
          break;
        }
        if (!stopped) {
          REQUIRE(cursor.commit(Lsn{t.commit_lsn}, t.end(), false));
          position = cursor.position();
          end = cursor.end_lsn();
        }
      }
      if (random() % 2) slot = end;
    }
    CHECK(taken == whole.taken);
  }
}
