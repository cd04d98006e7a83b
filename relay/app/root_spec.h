// The specification of the whole configuration: the fields of the program around those that the connectors bring.
#pragma once

#include <vector>

#include "connectors/component.h"
#include "relay/config/field.h"

namespace relay::app {

config::FieldSpec root_spec(const std::vector<connectors::Component>& catalog);

// By the value of source.type or sink.type; the name is one that root_spec() accepts.
const connectors::SourceSpec& source_spec(const std::vector<connectors::Component>& catalog, std::string_view type);
const connectors::SinkSpec& sink_spec(const std::vector<connectors::Component>& catalog, std::string_view type);

}  // namespace relay::app
