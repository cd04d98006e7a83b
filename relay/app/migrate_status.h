// The answer of `migrate status`, written for people or for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "relay/migrate/journal.h"

namespace relay::app {

struct MigrateStatus {
  std::string target;                      // "host:port/dbname"
  std::vector<migrate::Applied> applied;   // by `migrate apply`, oldest first
  std::vector<std::string> there;          // made by something else
  std::vector<std::string> missing;        // asked for, and not there
  std::vector<std::string> differences;    // a sentence each

  bool as_it_should_be() const { return missing.empty() && differences.empty(); }
};

// A line each; it ends with a line break.
std::string migrate_status_text(const MigrateStatus& status);
// {"database":...,"applied":[{"name":...,"applied_at":...}],"there":[],"missing":[],"differences":[]}
std::string migrate_status_json(const MigrateStatus& status);

}  // namespace relay::app
