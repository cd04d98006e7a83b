// Events from a file, one JSON object a line: as the file sink writes them (with id, aggregate_type, aggregate_id,
// event_type, payload, headers), or payloads alone, to which `kind` gives the rest. Reads that file and nothing else.
#pragma once

#include <string>

#include "relay/base/result.h"
#include "relay/model/batch.h"

namespace relay::policy {

struct SampleKind {
  std::string aggregate_type, event_type, table;
};

// Appends `most` events at most. Fails with code sample_unreadable.
Result<void> read_sample(const std::string& file, const SampleKind& kind, std::size_t most, Batch& out);

}  // namespace relay::policy
