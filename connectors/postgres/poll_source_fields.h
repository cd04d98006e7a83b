// The configuration of `source: {type: poll}`: its fields, its checks, and the plain values made of it.
#pragma once

#include <vector>

#include "connectors/component.h"
#include "connectors/postgres/poll_source_config.h"

namespace relay::connectors::postgres {

std::vector<config::FieldSpec> poll_source_fields();
void validate_poll_source(const config::Value& part, const config::Value& pipeline, config::Diagnostics& out);
PollSourceConfig poll_source_config(const BuildContext& context);

}  // namespace relay::connectors::postgres
