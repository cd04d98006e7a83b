// A tree of YAML nodes against the specification: values with defaults filled in, and everything that is wrong.
#pragma once

#include "relay/config/diagnostic.h"
#include "relay/config/field.h"
#include "relay/config/load.h"
#include "relay/config/yaml_document.h"

namespace relay::config {

// Top-level keys with this prefix are free for anchors and are not looked at.
inline constexpr std::string_view kExtensionPrefix = "x-";

Value validate(const Node& node, const FieldSpec& root, const Environment& environment, Diagnostics& out);

}  // namespace relay::config
