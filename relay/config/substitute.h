// ${VAR}, ${VAR:-default} and $$ in one scalar. Works on the text that YAML made of the scalar, so a variable's value
// can never add keys, lists or further variables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/config/load.h"

namespace relay::config {

struct Substituted {
  std::string text;
  std::vector<std::string> used;     // variables whose value or default is in `text`
  std::vector<std::string> missing;  // variables that are not set and have no default
  std::string malformed;             // what is wrong with a ${...}, or empty
  bool bare_dollar = false;          // "$NAME" was met, and left as it stands
};

Substituted substitute(std::string_view text, const Environment& environment);

}  // namespace relay::config
