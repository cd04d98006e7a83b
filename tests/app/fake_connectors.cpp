#include "fake_connectors.h"

#include <thread>

namespace relay::app::test {
namespace {

using connectors::BuildContext;
using std::lock_guard;

constexpr std::uint64_t kFirstLsn = 1'000;

// Event n is a transaction of its own that ends at kFirstLsn + n.
class FakeSource final : public Source {
 public:
  FakeSource(std::shared_ptr<World> world, std::string slot) : world_(std::move(world)), slot_(std::move(slot)) {}

  Result<SourceState> inspect() override {
    const lock_guard lock(world_->mutex);
    if (world_->inspect_error) return fail(*world_->inspect_error);
    SourceState state;
    state.system_identifier = "1";
    state.timeline = 1;
    state.wal_end = Lsn{kFirstLsn + world_->committed};
    state.slot_name = slot_;
    if (const auto at = world_->slots.find(slot_); at != world_->slots.end()) state.slot = at->second;
    return state;
  }
  Result<void> acquire(AcquireFor) override { return {}; }
  Result<StartPoint> create() override {
    const lock_guard lock(world_->mutex);
    world_->slots[slot_] = {Lsn{kFirstLsn}, false, 0};
    return StartPoint{Lsn{kFirstLsn}, std::nullopt};
  }
  Result<void> drop_slot() override {
    const lock_guard lock(world_->mutex);
    world_->slots.erase(slot_);
    return {};
  }
  Result<void> start(const Progress& from) override {
    next_ = from.end_lsn.value - kFirstLsn + 1;
    return {};
  }
  Result<StepResult> step(Batch* batch, Millis wait) override {
    StepResult result;
    const lock_guard lock(world_->mutex);
    for (; batch != nullptr && next_ <= world_->committed && !batch->full(); ++next_) {
      add_event(*batch);
      result.received = true;
    }
    result.server_wal_end = Lsn{kFirstLsn + world_->committed};
    result.caught_up = next_ > world_->committed;
    if (result.caught_up && !result.received) result.idle_end_lsn = result.server_wal_end;
    if (!result.received) std::this_thread::sleep_for(std::min(wait, Millis{5}));
    return result;
  }
  void confirm(Lsn end_lsn) override {
    const lock_guard lock(world_->mutex);
    if (const auto at = world_->slots.find(slot_); at != world_->slots.end()) at->second.confirmed_flush = end_lsn;
  }
  Result<Lsn> drain_target() override {
    const lock_guard lock(world_->mutex);
    return Lsn{kFirstLsn + world_->committed};
  }
  void release() noexcept override {}
  void wake() noexcept override {}
  void give_up() noexcept override {}
  SourceCounters counters() const override { return {}; }

 private:
  void add_event(Batch& batch) const {
    auto& event = batch.add(10);
    const Lsn end{kFirstLsn + next_};
    event.id = batch.arena().copy(std::to_string(next_));
    event.commit_lsn = end;
    Position position;
    position.commit_lsn = end;
    position.end_lsn = end;
    position.xid = static_cast<std::uint32_t>(next_);
    batch.mark_boundary(position, end);
  }

  std::shared_ptr<World> world_;
  std::string slot_;
  std::uint64_t next_ = 1;
};

class FakeSink final : public Sink {
 public:
  FakeSink(std::shared_ptr<World> world, std::string pipeline)
      : world_(std::move(world)), pipeline_(std::move(pipeline)) {}

  bool stores_progress() const override { return true; }
  Result<PeekedProgress> peek_progress(Millis, std::stop_token) override {
    const lock_guard lock(world_->mutex);
    const auto at = world_->stored.find(pipeline_);
    if (at == world_->stored.end()) return PeekedProgress{};
    return PeekedProgress{at->second};
  }
  Result<void> open(Millis, std::stop_token) override { return {}; }
  Result<std::optional<Progress>> read_progress(Millis wait, std::stop_token stop) override {
    return peek_progress(wait, std::move(stop))->progress;
  }
  std::string cluster_id() const override { return "fake"; }
  void submit(const Batch& batch) override { batch_ = &batch; }
  std::optional<Delivery> step(Millis wait) override {
    const lock_guard lock(world_->mutex);
    const bool hangs = batch_ != nullptr && world_->sink_hangs && !batch_->empty();
    if (hangs) world_->hanging = true;
    if (batch_ == nullptr || hangs) {
      std::this_thread::sleep_for(std::min(wait, Millis{5}));
      return std::nullopt;
    }
    world_->stored[pipeline_] = batch_->progress;
    world_->delivered += batch_->events().size();
    batch_ = nullptr;
    return Delivery::durable();
  }
  void close() noexcept override {}

 private:
  std::shared_ptr<World> world_;
  std::string pipeline_;
  const Batch* batch_ = nullptr;
};

connectors::SourceSpec slot_source(const std::shared_ptr<World>& world) {
  connectors::SourceSpec spec;
  spec.name = "slot";
  spec.summary = "A replication slot.";
  spec.fields = {config::text("slot", "Its name."),
                 config::list("tables", "Of the outbox.", config::text("", "A table.")).for_example("[public.outbox]")};
  spec.validate = [](const config::Value& part, const config::Value&, config::Diagnostics& out) {
    if (part["tables"] && part["tables"].items().empty())
      out.push_back({part["tables"].mark(), "source.tables", "no table", "name one", false});
  };
  spec.build = [world](const BuildContext& context) -> Result<std::unique_ptr<Source>> {
    if (world->build_error) return fail(*world->build_error);
    const auto& slot = context.pipeline_config["source"]["slot"];
    return std::make_unique<FakeSource>(world, slot ? slot.as_string() : "outbox_relay_" + context.pipeline);
  };
  spec.doctor = [world](const BuildContext&) { return world->source_findings; };
  return spec;
}

connectors::SinkSpec memory_sink(const std::shared_ptr<World>& world, const std::string& name, bool outside) {
  connectors::SinkSpec spec;
  spec.name = name;
  spec.summary = "Keeps a count.";
  spec.outside_boundary = outside;
  spec.stores_progress = true;
  spec.build = [world](const BuildContext& context) -> Result<std::unique_ptr<Sink>> {
    return std::make_unique<FakeSink>(world, context.pipeline);
  };
  spec.doctor = [world](const BuildContext&) { return world->sink_findings; };
  return spec;
}

}  // namespace

std::vector<connectors::Component> fake_catalog(const std::shared_ptr<World>& world) {
  connectors::Component database;
  database.name = "fake_database";
  database.sources = {slot_source(world)};
  connectors::SourceSpec poll;
  poll.name = "poll";
  poll.summary = "Polling.";
  database.sources.push_back(std::move(poll));
  connectors::Component broker;
  broker.name = "fake_broker";
  broker.sinks = {memory_sink(world, "memory", false), memory_sink(world, "partner", true)};
  return {database, broker};
}

}  // namespace relay::app::test
