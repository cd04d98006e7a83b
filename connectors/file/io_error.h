// The one place that turns errno into our errors.
#pragma once

#include <string>
#include <string_view>

#include "relay/base/result.h"

namespace relay::connectors::file {

// "cannot <attempted> <path>: <what the system said>". A full disk and unknown trouble are transient; what only a
// person can mend (permission, missing directory, a directory in place of the file) is fatal.
Error io_error(int error_number, std::string_view attempted, const std::string& path);

}  // namespace relay::connectors::file
