// The configuration of `source: {type: slot}`: its fields, its checks, and the plain values made of it.
#pragma once

#include <vector>

#include "connectors/component.h"
#include "connectors/postgres/slot_source_config.h"

namespace relay::connectors::postgres {

std::vector<config::FieldSpec> slot_source_fields();
void validate_slot_source(const config::Value& part, const config::Value& pipeline, config::Diagnostics& out);

ConnectionConfig connection_config(const BuildContext& context);
// The same for who is no pipeline; `who` is shown in pg_stat_activity.
ConnectionConfig connection_config(const config::Value& database, const std::string& who);
SlotSourceConfig slot_source_config(const BuildContext& context);
// Of a source's configuration what every source of outbox rows has: connection, outbox, snapshot, create: [tables].
SlotSourceConfig outbox_config(const BuildContext& context);

}  // namespace relay::connectors::postgres
