// One written scalar -> a value of its field's type, or what is wrong with it.
#pragma once

#include <string>

#include "relay/config/diagnostic.h"
#include "relay/config/field.h"
#include "relay/config/load.h"
#include "relay/config/yaml_document.h"

namespace relay::config {

bool is_scalar_type(FieldType type);

// "a duration such as 10s", "a list", "a map".
std::string expected(const FieldSpec& spec);
// "a list", "the number 5", "the text \"abc\"": what was written, without anything that came from the environment.
std::string described(const Node& node);

struct ScalarContext {
  const Environment& environment;
  std::string field;    // path, for the diagnostics
  bool written = true;  // false: a default, taken as it is
  bool masked = false;  // the key says that it is a secret, whatever the field's type
};

// Appends what is wrong to `out` and returns a Value without value then.
Value read_scalar(const Node& node, const FieldSpec& spec, const ScalarContext& context, Diagnostics& out);

}  // namespace relay::config
