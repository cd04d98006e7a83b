#include "relay/model/batch.h"

#include <doctest/doctest.h>

using relay::Batch;
using relay::BatchLimits;
using relay::Lsn;
using relay::Position;

namespace {

constexpr BatchLimits kSmall{.events_target = 3, .bytes_target = 100, .events_max = 6, .bytes_max = 200};

void add(Batch& batch, int n, std::size_t bytes = 1) {
  for (int i = 0; i < n; ++i) batch.add(bytes);
}
void mark(Batch& batch, std::uint64_t commit) {
  Position position;
  position.commit_lsn = Lsn{commit};
  position.end_lsn = Lsn{commit + 1};
  batch.mark_boundary(position, position.end_lsn);
}

}  // namespace

TEST_CASE("a batch is full at the first boundary from the target on") {
  Batch batch(kSmall);
  add(batch, 2);
  mark(batch, 10);
  CHECK_FALSE(batch.full());
  add(batch, 1);
  CHECK_FALSE(batch.full());  // three events, but inside a transaction
  mark(batch, 20);
  CHECK(batch.full());
}

TEST_CASE("a transaction goes on past the target and is split only at the limit") {
  Batch batch(kSmall);
  add(batch, 5);
  CHECK_FALSE(batch.full());
  add(batch, 1);
  CHECK(batch.full());
}

TEST_CASE("bytes count like events") {
  Batch batch(kSmall);
  add(batch, 1, 150);
  CHECK_FALSE(batch.full());
  mark(batch, 10);
  CHECK(batch.full());
  Batch one_row(kSmall);
  add(one_row, 1, 500);
  CHECK(one_row.full());
}

TEST_CASE("an empty batch is not full, with or without a boundary") {
  Batch batch(kSmall);
  CHECK_FALSE(batch.full());
  mark(batch, 10);
  CHECK_FALSE(batch.full());
  CHECK(batch.has_boundary());
  CHECK(batch.empty());
}

TEST_CASE("truncating forgets what came after the last boundary and keeps the position") {
  Batch batch(kSmall);
  add(batch, 2, 10);
  mark(batch, 10);
  add(batch, 3, 10);
  CHECK_FALSE(batch.at_boundary());
  batch.truncate_to_boundary();
  CHECK(batch.events().size() == 2);
  CHECK(batch.bytes() == 20);
  CHECK(batch.at_boundary());
  CHECK(batch.position().commit_lsn == Lsn{10});
  CHECK(batch.end_lsn() == Lsn{11});
}

TEST_CASE("a cleared batch is as new") {
  Batch batch(kSmall);
  add(batch, 6, 100);
  batch.progress.sequence = 9;
  mark(batch, 10);
  batch.clear(1 << 20);
  CHECK(batch.empty());
  CHECK(batch.bytes() == 0);
  CHECK_FALSE(batch.has_boundary());
  CHECK_FALSE(batch.full());
  CHECK(batch.boundary() == 0);
  CHECK(batch.progress.sequence == 0);
}

TEST_CASE("an event without a payload is a tombstone, one with an empty payload is not") {
  Batch batch;
  CHECK(batch.add(0).is_tombstone());
  batch.events()[0].payload = batch.arena().copy("");
  CHECK_FALSE(batch.events()[0].is_tombstone());
}

TEST_CASE("a position is inside a transaction exactly when it has a change LSN") {
  Position position;
  position.commit_lsn = Lsn{1};
  position.end_lsn = Lsn{2};
  CHECK_FALSE(position.inside_transaction());
  position.end_lsn = Lsn{};
  position.change_lsn = Lsn{1};
  position.ordinal = 1;
  CHECK(position.inside_transaction());
}
