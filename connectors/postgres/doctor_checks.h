// Turns facts into findings. Pure: no server, no I/O. What `run` refuses comes from server_questions_checks.h; here is
// the rest: what is well, what is a risk, and what to know.
#pragma once

#include <string>
#include <vector>

#include "connectors/postgres/doctor_facts.h"
#include "connectors/postgres/server_questions_facts.h"
#include "relay/model/finding.h"

namespace relay::connectors::postgres {

Findings connection_findings(const ServerFacts& server, const ConnectionFacts& connection);
Findings limit_findings(const SlotSourceConfig& config, const ServerFacts& server, const SettingsFacts& settings,
                        bool slot_exists);
// How long a stopped relay may stay away before the slot's limit is reached.
Findings wal_findings(const SlotSourceConfig& config, const SettingsFacts& settings, const WalFacts& wal);
// With `failover`. `slot` null: there is none yet.
Findings failover_findings(const SlotSourceConfig& config, const ServerFacts& server, const SettingsFacts& settings,
                           const SlotFacts* slot);
Findings table_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables);
Findings publication_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                              const PublicationFacts& publication);
// There is none yet, and the relay is to create it.
Findings new_publication_findings(const SlotSourceConfig& config, const ServerFacts& server,
                                  const std::vector<TableFacts>& tables);
Findings slot_findings(const SlotSourceConfig& config, const SlotFacts& slot);
// `with_rows`: tables with existing rows, while there is no slot yet.
Findings snapshot_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                           const std::vector<const TableFacts*>& with_rows);
Findings transaction_findings(const ServerFacts& server, const std::vector<OpenTransaction>& open,
                              bool may_see_sessions);
Findings store_findings(const StoreFacts& store, const std::string& role, bool may_create_tables, bool needed);

// "3.2 GiB", "40 s", "2 h"
std::string readable_bytes(std::int64_t bytes);
std::string readable_seconds(std::int64_t seconds);

}  // namespace relay::connectors::postgres
