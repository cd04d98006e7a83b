// Rows as events, without a slot and without delivering anything: what `policy preview` looks at.
#pragma once

#include <cstddef>

#include "connectors/postgres/slot_source_config.h"
#include "relay/model/batch.h"

namespace relay::connectors::postgres {

// Appends the first `most` rows of the pipeline's tables, as the initial read would. Changes nothing, and locks the
// tables as any reader does, for as long as it takes.
Result<void> sample_rows(const SlotSourceConfig& config, std::size_t most, Batch& out);

}  // namespace relay::connectors::postgres
