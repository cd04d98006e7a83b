// Step (e) of the start: may the stream go on from the stored progress? Pure; every refusal changes nothing and names the
// command that goes on.
#pragma once

#include <optional>
#include <string>

#include "relay/base/result.h"
#include "relay/model/progress.h"
#include "relay/pipeline/source.h"

namespace relay {

enum class StartAction {
  create,    // first start: no slot, no progress
  recreate,  // a creation was cut short: drop what it left, then create
  resume,    // go on
};

// `cluster_id`: of the broker that is connected to; empty when the sink has none or it is not known yet.
Result<StartAction> decide_start(const SourceState& source, const std::optional<Progress>& progress,
                                 const std::string& pipeline, const std::string& cluster_id);

}  // namespace relay
