// The database's side of `doctor` for a source that polls.
#pragma once

#include "connectors/postgres/poll_facts.h"
#include "relay/model/finding.h"

namespace relay::connectors::postgres {

// Connects by itself; a failed connection is a finding. Changes nothing. `needs_store_tables`: progress or dead letters
// of this pipeline are kept in this database.
Findings doctor_polled(const PollSourceConfig& config, bool needs_store_tables);

// What is well, what is a risk, and what to know. Pure.
Findings poll_findings(const PollSourceConfig& config, const TableFacts& table, const PollFacts& facts);
Findings holder_findings(const std::vector<HoldingTransaction>& holders);

}  // namespace relay::connectors::postgres
