// A source and sinks in memory, and a catalog of them, so that commands run without database and broker.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "connectors/component.h"

namespace relay::app::test {

// What the outside world holds; shared by all parts that a catalog builds.
struct World {
  std::mutex mutex;
  std::uint64_t committed = 100;           // events that exist
  std::map<std::string, Progress> stored;  // by pipeline
  std::map<std::string, SlotState> slots;  // by name
  std::optional<Error> inspect_error;      // what the source answers instead
  std::optional<Error> build_error;        // what building the source answers instead
  Findings source_findings, sink_findings;
  std::atomic<bool> hanging = false;  // set when it does
  bool sink_hangs = false;            // never acknowledges
  std::uint64_t delivered = 0;
};

// Sources `slot` and `poll`, sinks `memory`, `table` (dead letters only in a table) and `partner` (outside the
// boundary).
std::vector<connectors::Component> fake_catalog(const std::shared_ptr<World>& world);

}  // namespace relay::app::test
