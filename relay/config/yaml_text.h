// Writing YAML: one scalar, quoted when it has to be.
#pragma once

#include <string>
#include <string_view>

namespace relay::config {

// Plain when that reads back as the same text in block and flow style, otherwise double-quoted.
std::string yaml_scalar(std::string_view text);

}  // namespace relay::config
