// The statements and settings that hints, findings and the relay itself use. Pure text.
#pragma once

#include <string>
#include <vector>

#include "connectors/postgres/server_questions_facts.h"

namespace relay::connectors::postgres {

std::string create_outbox_sql(const SlotSourceConfig& config, const std::string& schema, const std::string& name);
std::string grant_select_sql(const TableFacts& table, const std::string& role);
std::string grant_replication_fix(const ServerFacts& server);
std::string wal_level_fix(const ServerFacts& server);
// How a setting is changed where this server runs. `value` in the setting's base unit, as pg_settings shows it.
std::string setting_fix(const ServerFacts& server, const std::string& name, const std::string& value, bool needs_restart);
// The publication that the relay makes, or that its owner is told to make.
std::string publication_sql(const SlotSourceConfig& config, const std::vector<TableFacts>& tables);
std::string add_to_publication_sql(const SlotSourceConfig& config, const TableFacts& table);
// Takes the row filter or column list of one table away.
std::string whole_table_sql(const SlotSourceConfig& config, const TableFacts& table);
std::string publish_inserts_sql(const SlotSourceConfig& config, bool replica_identities);
std::string drop_slot_sql(const std::string& slot);
std::string choose_snapshot_setting(const SlotSourceConfig& config);

// "outbox-relay progress reset -c FILE --pipeline NAME"
std::string reset_command(const SlotSourceConfig& config);

}  // namespace relay::connectors::postgres
