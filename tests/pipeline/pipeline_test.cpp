// The pipeline with its two real threads, over the simulated database and broker.
#include "relay/pipeline/pipeline.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "sim_world.h"

using namespace relay;
using namespace relay::sim;

namespace {

struct Store final : DeadLetterStore {
  Result<void> park(const std::string&, std::span<const Event* const> events) override {
    for (const auto* e : events) ids.push_back(std::string(e->id) + " " + std::string(e->reject_code));
    return {};
  }
  std::vector<std::string> ids;
};

struct Fixture {
  Fixture() { db.initial = {{"i0", "k", true, false}, {"i1", "k", true, false}}; }

  PipelineOptions options() const {
    PipelineOptions o;
    o.name = "sim";
    o.batch = {6, 1 << 20, 10, 2 << 20};
    o.backoff_first = Millis(1);
    o.backoff_most = Millis(5);
    o.standby_interval = Millis(5);
    o.idle_progress_interval = Millis(20);
    return o;
  }
  std::unique_ptr<Pipeline> pipeline(PipelineOptions o, std::unique_ptr<DeadLetterStore> store = nullptr) {
    PipelineParts parts;
    parts.source = std::make_unique<SimSource>(db, next_id++, true);
    parts.sink = std::make_unique<SimSink>(broker, random, faults);
    parts.dead_letter_store = std::move(store);
    return std::make_unique<Pipeline>(std::move(o), std::move(parts), system_clock(), Logger{});
  }
  std::vector<std::string> delivered(const std::string& topic = "events") const {
    std::vector<std::string> ids;
    for (const auto& d : broker.log)
      if (d.topic == topic) ids.push_back(d.id);
    return ids;
  }

  Database db;
  Broker broker;
  std::mt19937_64 random{7};
  int faults = 0;
  int next_id = 1;
};

PipelineExit drain(Fixture& f, PipelineOptions o, std::unique_ptr<DeadLetterStore> store = nullptr) {
  o.drain = true;
  return f.pipeline(std::move(o), std::move(store))->run({});
}

}  // namespace

TEST_CASE("drain delivers the initial rows and the stream, then ends by itself") {
  Fixture f;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1"});
  f.db.commit({{"e0", "k", true, false}, {"", "k", false, false}, {"e1", "k", true, false}});
  f.faults = 50;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1", "e0", "e1"});
  CHECK(f.db.slot->holder == 0);
  CHECK(f.db.slot->confirmed == f.db.wal_end);
}

TEST_CASE("a rejected event halts the pipeline by default and nothing after it is delivered") {
  Fixture f;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  f.db.commit({{"good", "k", true, false}, {"bad", "k", true, true}, {"later", "k", true, false}});
  const auto exit = drain(f, f.options());
  REQUIRE(exit.why == PipelineExit::Why::failed);
  CHECK(exit.error->code == "message_too_large");
  CHECK(exit.error->message.find("bad") != std::string::npos);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1"});
}

TEST_CASE("a rejected event goes to the dead letter topic with its place in the sequence") {
  Fixture f;
  auto o = f.options();
  o.on_reject = OnReject::dead_letter_topic;
  REQUIRE(drain(f, o).why == PipelineExit::Why::drained);
  f.db.commit({{"good", "k", true, false}, {"bad", "k", true, true}, {"later", "k", true, false}});
  REQUIRE(drain(f, o).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1", "good", "later"});
  CHECK(f.delivered("dead_letters") == std::vector<std::string>{"bad"});
  CHECK(f.broker.progress->sequence == 5);
}

TEST_CASE("a rejected event is parked in the dead letter table before the rest is committed") {
  Fixture f;
  auto o = f.options();
  o.on_reject = OnReject::dead_letter_table;
  REQUIRE(drain(f, o, std::make_unique<Store>()).why == PipelineExit::Why::drained);
  f.db.commit({{"good", "k", true, false}, {"bad", "k", true, true}});
  auto store = std::make_unique<Store>();
  auto& parked = *store;
  o.drain = true;
  auto pipeline = f.pipeline(o, std::move(store));
  REQUIRE(pipeline->run({}).why == PipelineExit::Why::drained);
  CHECK(parked.ids == std::vector<std::string>{"bad message_too_large"});
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1", "good"});
  CHECK(pipeline->status().rejected == 1);
}

TEST_CASE("an event that a transform blocks does not reach the sink and keeps its place in the sequence") {
  struct BlockOne final : Transform {
    void apply(Batch& batch, std::size_t first) override {
      for (auto i = first; i < batch.events().size(); ++i)
        if (batch.events()[i].id == "secret") batch.events()[i].disposition = Disposition::blocked;
    }
  };
  Fixture f;
  auto o = f.options();
  o.drain = true;
  REQUIRE(drain(f, o).why == PipelineExit::Why::drained);
  f.db.commit({{"e0", "k", true, false}, {"secret", "k", true, false}, {"e1", "k", true, false}});
  PipelineParts parts;
  parts.source = std::make_unique<SimSource>(f.db, f.next_id++, true);
  parts.sink = std::make_unique<SimSink>(f.broker, f.random, f.faults);
  parts.transforms.push_back(std::make_unique<BlockOne>());
  Pipeline pipeline(o, std::move(parts), system_clock(), Logger{});
  REQUIRE(pipeline.run({}).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1", "e0", "e1"});
  CHECK(f.broker.log.back().sequence == 5);
  CHECK(f.broker.progress->sequence == 5);
  CHECK(pipeline.status().events == 2);
  CHECK(pipeline.status().blocked == 1);
}

TEST_CASE("a stop ends a running pipeline soon and gives the slot back") {
  Fixture f;
  std::stop_source stop;
  PipelineExit exit;
  auto pipeline = f.pipeline(f.options());
  std::thread runner([&] { exit = pipeline->run(stop.get_token()); });
  while (pipeline->status().acknowledged.sequence < 2) std::this_thread::yield();
  stop.request_stop();
  runner.join();
  CHECK(exit.why == PipelineExit::Why::stopped);
  CHECK(!exit.error);
  CHECK(f.db.slot->holder == 0);
  CHECK(pipeline->status().phase == PipelinePhase::stopped);
}

TEST_CASE("a stop while the broker is away ends soon too") {
  Fixture f;
  f.broker.up = false;
  std::stop_source stop;
  PipelineExit exit;
  auto pipeline = f.pipeline(f.options());
  std::thread runner([&] { exit = pipeline->run(stop.get_token()); });
  while (pipeline->status().restarts < 2) std::this_thread::yield();
  stop.request_stop();
  runner.join();
  CHECK(exit.why == PipelineExit::Why::stopped);
  CHECK(!f.db.slot);  // nothing was created for a broker that is not there
}

TEST_CASE("a sink that acknowledges nothing makes the pipeline give the slot back") {
  Fixture f;
  auto o = f.options();
  REQUIRE(drain(f, o).why == PipelineExit::Why::drained);
  o.stall_release = Millis(50);
  f.broker.mute = true;
  f.db.commit({{"e0", "k", true, false}});
  std::stop_source stop;
  auto pipeline = f.pipeline(o);
  std::thread runner([&] { pipeline->run(stop.get_token()); });
  while (pipeline->status().restarts < 5) std::this_thread::yield();
  stop.request_stop();
  runner.join();
  CHECK(f.db.slot->holder == 0);
  f.broker.mute = false;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"i0", "i1", "e0"});
}

TEST_CASE("stored progress that went back is refused, since the slot is ahead of it") {
  Fixture f;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  for (int i = 0; i < 5; ++i) f.db.commit({{"e" + std::to_string(i), "k", true, false}});
  const auto old = *f.broker.progress;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  f.broker.progress = old;
  const auto exit = drain(f, f.options());
  REQUIRE(exit.why == PipelineExit::Why::failed);
  CHECK(exit.error->code == "slot_ahead_of_progress");
}

TEST_CASE("an existing slot is adopted only by the command, which names the consequence first") {
  Fixture f;
  f.db.slot = Database::Slot{f.db.wal_end, f.db.wal_end, f.db.wal_end, 0, 0};
  const auto refused = drain(f, f.options());
  REQUIRE(refused.why == PipelineExit::Why::failed);
  CHECK(refused.error->code == "progress_missing");
  SimSource source(f.db, 50, false);
  SimSink sink(f.broker, f.random, f.faults);
  const AdminParts parts{source, sink, nullptr, "sim", Logger{}};
  const auto dry = adopt_progress(parts, true, Millis(1'000), {});
  REQUIRE(dry);
  CHECK(!dry->consequence.empty());
  CHECK(!f.broker.progress);
  REQUIRE(adopt_progress(parts, false, Millis(1'000), {}));
  CHECK(f.broker.progress->end_lsn == f.db.slot->confirmed);
  CHECK(f.db.slot->holder == 0);
  f.db.commit({{"e0", "k", true, false}});
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  CHECK(f.delivered() == std::vector<std::string>{"e0"});
}

TEST_CASE("a reset keeps the sequence going, so that consumers never see a number twice") {
  Fixture f;
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  SimSource source(f.db, 50, true);
  SimSink sink(f.broker, f.random, f.faults);
  const AdminParts parts{source, sink, nullptr, "sim", Logger{}};
  REQUIRE(reset_progress(parts, false, Millis(1'000), {}));
  f.db.slot.reset();
  REQUIRE(create_slot(parts, Millis(1'000), {}));
  CHECK(f.broker.progress->state == ProgressState::snapshot);
  REQUIRE(drain(f, f.options()).why == PipelineExit::Why::drained);
  CHECK(f.broker.log.back().sequence == 4);
}
