// Capture triggers (sql/capture.sql) that do not fire for the application's writes: asked once, judged purely.
#pragma once

#include <string>
#include <vector>

#include "connectors/postgres/slot_source_config.h"
#include "connectors/postgres/sql_session.h"
#include "relay/model/finding.h"

namespace relay::connectors::postgres {

struct SilentTrigger {
  std::string schema, table, name;
  bool replica = false;        // ENABLE REPLICA: it fires only for what replication applies; otherwise never
  bool into_outbox = false;    // its events are rows of outbox_relay.outbox
  bool into_messages = false;  // or messages with the prefix that was asked about
};

// `prefix` of messages; empty: of none.
Result<std::vector<SilentTrigger>> silent_triggers(SqlSession& sql, const std::string& prefix);

// Of those whose events this pipeline would deliver.
Findings trigger_findings(const SlotSourceConfig& config, const std::vector<SilentTrigger>& triggers);

// Both.
Result<Findings> examine_triggers(SqlSession& sql, const SlotSourceConfig& config);

}  // namespace relay::connectors::postgres
