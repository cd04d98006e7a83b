// What `doctor` asks on behalf of these sinks. Changes nothing and takes no lock.
#pragma once

#include <string>

#include "relay/model/finding.h"

namespace relay::connectors::file {

// The directory can be written to, the file is a regular one, and it agrees with its progress record.
Findings file_findings(const std::string& pipeline, const std::string& path);
Findings stdout_findings();

}  // namespace relay::connectors::file
