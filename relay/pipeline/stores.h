// Progress and dead letters in the captured database, for sinks that cannot store them themselves. Used by the sink's
// thread only; each call is one short transaction with synchronous_commit on and a statement timeout.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "relay/base/result.h"
#include "relay/model/event.h"
#include "relay/model/progress.h"

namespace relay {

class ProgressStore {
 public:
  virtual ~ProgressStore() = default;
  virtual Result<std::optional<Progress>> load(const std::string& pipeline) = 0;
  virtual Result<void> save(const Progress& progress) = 0;
};

class DeadLetterStore {
 public:
  virtual ~DeadLetterStore() = default;
  // Upserts the rejected events (reject_code and reject_reason set), keyed by pipeline and position, before the batch is
  // committed. A repeated call with the same events changes nothing.
  virtual Result<void> park(const std::string& pipeline, std::span<const Event* const> events) = 0;
};

}  // namespace relay
