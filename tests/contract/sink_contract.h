// What every sink must do, as tests: instantiate it for a place that the sink writes to.
//
//   struct MyPlace {
//     MyPlace();                             // a fresh, empty place: a temporary directory, a topic with a new name
//     std::unique_ptr<relay::Sink> make();   // a sink on it for the pipeline kPipeline; each like another relay
//     process std::vector<ReadEvent> read();         // the main stream as an ordinary consumer finds it now, from its
//     beginning void pump();                           // lets a consumer run that the sink may be waiting for; else
//     empty
//   };
//   RELAY_SINK_CONTRACT(MyPlace)
//
// These may be left out; the promises that need them are then not asked for:
//
//     std::vector<ReadEvent> read_dead_letters();          // the sink has a dead letter topic
//     void break_place(); void mend_place();               // nothing can be delivered in between
//     static constexpr std::size_t kEventBytesMax;         // a larger payload can never be delivered
//
// The events of a batch share an aggregate type, which is a legal topic name, and use few aggregate ids: order is asked
// for per aggregate id only. Kept free of any connector.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/contract/sink_contract_events.h"

namespace relay::contract {

constexpr Millis kOpenWait{30'000};
constexpr Millis kStepWait{20};
constexpr auto kDeliverBound = std::chrono::seconds(60);
constexpr auto kWaitTolerance = std::chrono::milliseconds(1'500);  // for a busy machine, and one sync of a disk

template <typename Place>
std::unique_ptr<Sink> open_sink(Place& place) {
  auto sink = place.make();
  const auto opened = sink->open(kOpenWait, {});
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text()));
  return sink;
}

// The Delivery of a submitted batch, whatever it is.
template <typename Place>
Delivery drive(Place& place, Sink& sink) {
  const auto deadline = std::chrono::steady_clock::now() + kDeliverBound;
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto delivery = sink.step(kStepWait)) return *delivery;
    place.pump();
  }
  FAIL("the sink gave no Delivery in time");
  return {};
}

template <typename Place>
void deliver(Place& place, Sink& sink, const Batch& batch) {
  sink.submit(batch);
  const auto delivery = drive(place, sink);
  INFO(delivery.error.text());
  REQUIRE(delivery.kind == Delivery::Kind::durable);
}

inline std::optional<Progress> stored_in(Sink& sink) {
  auto stored = sink.read_progress(kOpenWait, {});
  REQUIRE_MESSAGE(stored.has_value(), (stored ? "" : stored.error().text()));
  return *stored;
}

inline std::optional<Progress> peeked_from(Sink& sink) {
  auto peeked = sink.peek_progress(kOpenWait, {});
  REQUIRE_MESSAGE(peeked.has_value(), (peeked ? "" : peeked.error().text()));
  return peeked->progress;
}

inline void check_stored(Sink& sink, const Progress& expected) {
  if (!sink.stores_progress()) return;
  const auto stored = stored_in(sink);
  REQUIRE(stored.has_value());
  CHECK(*stored == expected);
}

inline void check_same(const std::vector<ReadEvent>& found, const std::vector<ReadEvent>& expected) {
  const auto difference = first_difference(by_aggregate(expected), by_aggregate(found));
  CHECK_MESSAGE(difference.empty(), difference);
}

template <typename Place>
void check_stream(Place& place, const std::vector<ReadEvent>& expected) {
  check_same(place.read(), expected);
}

TEST_CASE_TEMPLATE_DEFINE("batches are delivered in the order of their submission, once each", Place, in_order) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  for (int i = 0; i < 5; ++i) deliver(place, *sink, stream.batch(i == 0 ? 1 : 300));
  check_stream(place, stream.sent());
  check_stored(*sink, stream.progress());
}

TEST_CASE_TEMPLATE_DEFINE("every field of an event arrives as it was", Place, fields_survive) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  auto& batch = stream.batch(0);
  for (const auto& odd : odd_texts())
    stream.add(odd, "{\"text\": 1}", {{"plain", "x"}, {"odd", odd}, {"none", std::nullopt}});
  stream.add("not-json", "not json", {});
  stream.add("null", std::nullopt, {});
  stream.add("empty", "", {{"empty", ""}});
  stream.add("bytes", std::string("\xff\x00\xfe\xc3(", 5), {{"bytes", "\xc3("}});
  stream.add("big-number", "[123456789012345678901234567890, 1e999]", {});
  deliver(place, *sink, stream.close_batch(batch));
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("a large payload arrives whole", Place, large_payload) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  auto& batch = stream.batch(0);
  stream.add("before", "{}", {});
  stream.add("large", "{\"x\":\"" + std::string(700'000, 'x') + "\"}", {});
  stream.add("after", "{}", {});
  deliver(place, *sink, stream.close_batch(batch));
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("ten thousand events in a batch are delivered", Place, many_events) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  deliver(place, *sink, stream.batch(10'000));
  check_stream(place, stream.sent());
  check_stored(*sink, stream.progress());
}

TEST_CASE_TEMPLATE_DEFINE("an empty batch stores its progress and delivers nothing", Place, empty_batch) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  deliver(place, *sink, stream.batch(0));
  check_stored(*sink, stream.progress());
  deliver(place, *sink, stream.batch(3));
  deliver(place, *sink, stream.batch(0));
  check_stored(*sink, stream.progress());
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("parked and blocked events are left out, the others keep their order", Place, parked) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  auto& batch = stream.batch(9);
  for (std::size_t i : {std::size_t{0}, std::size_t{4}, std::size_t{8}})
    batch.events()[i].disposition = i == 4 ? Disposition::blocked : Disposition::parked;
  deliver(place, *sink, batch);
  check_stream(place, stream.sent_without({0, 4, 8}));
  check_stored(*sink, stream.progress());

  auto& all_parked = stream.batch(2);
  all_parked.events()[0].disposition = Disposition::parked;
  all_parked.events()[1].disposition = Disposition::blocked;
  deliver(place, *sink, all_parked);
  check_stream(place, stream.sent_without({0, 4, 8, 9, 10}));
  check_stored(*sink, stream.progress());
}

TEST_CASE_TEMPLATE_DEFINE("a dead letter never comes into the main stream", Place, dead_letters) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  auto& batch = stream.batch(3);
  mark_dead_letter(batch, 1);
  sink->submit(batch);
  const auto delivery = drive(place, *sink);
  if constexpr (requires { place.read_dead_letters(); }) {
    CHECK(delivery.kind == Delivery::Kind::durable);
    check_stream(place, stream.sent_without({1}));
    check_same(place.read_dead_letters(), {stream.sent()[1]});
  } else {
    CHECK(delivery.kind == Delivery::Kind::failed);
    CHECK(delivery.error.kind == ErrorKind::fatal);
    CHECK(!delivery.error.code.empty());
    for (const auto& event : place.read()) CHECK(event.id != stream.sent()[1].id);
  }
}

TEST_CASE_TEMPLATE_DEFINE("an event that is too large is rejected alone and the rest goes through", Place, too_large) {
  if constexpr (requires { Place::kEventBytesMax; }) {
    Place place;
    auto sink = open_sink(place);
    Stream stream;
    auto& batch = stream.batch(0);
    for (int i = 0; i < 20; ++i)
      stream.add("e" + std::to_string(i), std::string(i == 7 ? Place::kEventBytesMax + 1 : 100, 'x'), {});
    sink->submit(stream.close_batch(batch));
    const auto delivery = drive(place, *sink);
    REQUIRE(delivery.kind == Delivery::Kind::rejected);
    REQUIRE(delivery.rejected.size() == 1);
    CHECK(delivery.rejected[0].index == 7);
    CHECK(!delivery.rejected[0].code.empty());
    for (std::size_t i = 0; i < batch.events().size(); ++i)
      if (i == 7 || delivery.rest_durable) batch.events()[i].disposition = Disposition::parked;
    deliver(place, *sink, batch);
    check_stream(place, stream.sent_without({7}));
    check_stored(*sink, stream.progress());
  }
}

TEST_CASE_TEMPLATE_DEFINE("a Delivery is returned once, and step() without a batch returns none in time", Place,
                          one_delivery) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  CHECK(!sink->step(Millis(0)));
  deliver(place, *sink, stream.batch(2));
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) CHECK(!sink->step(kStepWait));
  CHECK(std::chrono::steady_clock::now() - before < 3 * kStepWait + kWaitTolerance);
}

TEST_CASE_TEMPLATE_DEFINE("submit() and step(wait) keep to the time they are given", Place, waits) {
  Place place;
  auto sink = open_sink(place);
  Stream stream;
  const auto& batch = stream.batch(10'000);
  auto before = std::chrono::steady_clock::now();
  sink->submit(batch);
  CHECK(std::chrono::steady_clock::now() - before < kWaitTolerance);
  for (int i = 0; i < 20; ++i) {  // without pump(): the consumer hangs
    before = std::chrono::steady_clock::now();
    const auto delivery = sink->step(kStepWait);
    CHECK(std::chrono::steady_clock::now() - before < kStepWait + kWaitTolerance);
    if (delivery) return;
  }
  CHECK(drive(place, *sink).kind == Delivery::Kind::durable);
}

TEST_CASE_TEMPLATE_DEFINE("progress is found again after close() and open(), and by another relay", Place,
                          progress_kept) {
  Place place;
  Stream stream;
  auto sink = open_sink(place);
  if (!sink->stores_progress()) return;
  CHECK(!peeked_from(*sink));
  CHECK(!stored_in(*sink));
  deliver(place, *sink, stream.batch(5));
  sink->close();
  sink->close();
  REQUIRE(sink->open(kOpenWait, {}).has_value());
  check_stored(*sink, stream.progress());
  CHECK(peeked_from(*sink) == stream.progress());
  deliver(place, *sink, stream.batch(5));
  sink.reset();
  sink = open_sink(place);
  check_stored(*sink, stream.progress());
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("nothing is seen of a batch that the relay died over, or all of it", Place, all_or_nothing) {
  for (const int steps : {0, 1, 3, 6}) {
    CAPTURE(steps);
    Place place;
    Stream stream;
    auto sink = open_sink(place);
    if (!sink->stores_progress()) return;
    deliver(place, *sink, stream.batch(7));
    const auto before = stream.progress();
    const auto sent_before = stream.sent();
    const auto& batch = stream.batch(5'000);
    sink->submit(batch);
    for (int i = 0; i < steps && !sink->step(Millis(0)); ++i) place.pump();
    sink.reset();

    sink = open_sink(place);
    const auto found = stored_in(*sink);
    REQUIRE(found.has_value());
    const bool all = *found == stream.progress();
    CHECK((all || *found == before));
    check_stream(place, all ? stream.sent() : sent_before);
    if (!all) deliver(place, *sink, batch);
    check_stream(place, stream.sent());
    check_stored(*sink, stream.progress());
  }
}

TEST_CASE_TEMPLATE_DEFINE("nothing is seen of a batch that was closed over, until it is delivered", Place,
                          closed_over) {
  Place place;
  Stream stream;
  auto sink = open_sink(place);
  const auto& batch = stream.batch(2'000);
  sink->submit(batch);
  sink->close();
  CHECK(!sink->step(Millis(0)));
  REQUIRE(sink->open(kOpenWait, {}).has_value());
  if (sink->stores_progress()) {
    CHECK(!stored_in(*sink));
    check_stream(place, {});
  }
  deliver(place, *sink, batch);
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("a look at progress neither changes nor disturbs anything", Place, peek) {
  Place place;
  Stream stream;
  auto looking = place.make();
  auto sink = open_sink(place);
  if (!sink->stores_progress()) {
    CHECK(!peeked_from(*looking));
    return;
  }
  deliver(place, *sink, stream.batch(5));
  const auto before = stream.progress();
  const auto& batch = stream.batch(500);
  sink->submit(batch);
  CHECK(peeked_from(*looking) == before);
  CHECK(drive(place, *sink).kind == Delivery::Kind::durable);
  CHECK(peeked_from(*looking) == stream.progress());
  CHECK(looking->cluster_id() == sink->cluster_id());
  deliver(place, *sink, stream.batch(5));
  check_stream(place, stream.sent());
}

TEST_CASE_TEMPLATE_DEFINE("after a failure the next open() goes on where the last Delivery ended", Place, mended) {
  if constexpr (requires(Place p) {
                  p.break_place();
                  p.mend_place();
                }) {
    Place place;
    Stream stream;
    auto sink = open_sink(place);
    deliver(place, *sink, stream.batch(5));
    const auto sent_before = stream.sent();
    const auto& batch = stream.batch(5);
    place.break_place();
    sink->submit(batch);
    auto delivery = drive(place, *sink);
    CHECK(delivery.kind == Delivery::Kind::failed);
    CHECK(!delivery.error.code.empty());
    sink->close();
    CHECK(!sink->open(Millis(3'000), {}).has_value());
    place.mend_place();
    REQUIRE(sink->open(kOpenWait, {}).has_value());
    if (sink->stores_progress() && stored_in(*sink) == stream.progress()) {
      CHECK(delivery.outcome_unknown);
    } else {
      if (sink->stores_progress()) check_stream(place, sent_before);
      deliver(place, *sink, batch);
    }
    check_stream(place, stream.sent());
    check_stored(*sink, stream.progress());
  }
}

}  // namespace relay::contract

#define RELAY_SINK_CONTRACT(Place)                  \
  namespace relay::contract {                       \
  TEST_CASE_TEMPLATE_INVOKE(in_order, Place);       \
  TEST_CASE_TEMPLATE_INVOKE(fields_survive, Place); \
  TEST_CASE_TEMPLATE_INVOKE(large_payload, Place);  \
  TEST_CASE_TEMPLATE_INVOKE(many_events, Place);    \
  TEST_CASE_TEMPLATE_INVOKE(empty_batch, Place);    \
  TEST_CASE_TEMPLATE_INVOKE(parked, Place);         \
  TEST_CASE_TEMPLATE_INVOKE(dead_letters, Place);   \
  TEST_CASE_TEMPLATE_INVOKE(too_large, Place);      \
  TEST_CASE_TEMPLATE_INVOKE(one_delivery, Place);   \
  TEST_CASE_TEMPLATE_INVOKE(waits, Place);          \
  TEST_CASE_TEMPLATE_INVOKE(progress_kept, Place);  \
  TEST_CASE_TEMPLATE_INVOKE(all_or_nothing, Place); \
  TEST_CASE_TEMPLATE_INVOKE(closed_over, Place);    \
  TEST_CASE_TEMPLATE_INVOKE(peek, Place);           \
  TEST_CASE_TEMPLATE_INVOKE(mended, Place);         \
  }
