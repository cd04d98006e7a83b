// The configuration of this run: loaded, checked across its parts, and the pipelines that were asked for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/component.h"
#include "relay/app/invocation.h"
#include "relay/config/load.h"
#include "relay/policy/policy_file.h"

namespace relay::app {

// One pipeline of the configuration. The references are valid as long as the Configuration is.
struct PipelineConfig {
  std::string name;
  const config::Value* value = nullptr;  // pipelines.<name>
  const connectors::SourceSpec* source = nullptr;
  const connectors::SinkSpec* sink = nullptr;
  std::shared_ptr<const policy::PolicyText> policy;  // null: policy: none
};

struct Configuration {
  std::shared_ptr<const config::Value> root;
  std::vector<PipelineConfig> pipelines;  // in the order written
  config::Diagnostics diagnostics;
  config::Environment environment;        // where the policies' keys may be

  bool has_errors() const;
  const config::Value& database() const { return (*root)["database"]; }
};

// Everything that can be known without a network: the fields, what the connectors check, what concerns several
// pipelines, and the policy files (but not their keys). With errors, `pipelines` is empty.
Configuration load_configuration(const std::vector<std::string>& files, const config::Environment& environment,
                                 const std::vector<connectors::Component>& catalog);
Configuration check_configuration(config::Loaded loaded, const std::vector<std::string>& files,
                                  const std::vector<connectors::Component>& catalog,
                                  const config::Environment& environment = config::process_environment());

// Keeps the pipelines named, in the order of the file; all when none is named. An unknown name is an error's text.
tl::expected<void, std::string> select_pipelines(Configuration& configuration, const std::vector<std::string>& names);

// "outbox-relay.yaml:3:5: error: ..." for each, and a line that counts them.
std::string report(const config::Diagnostics& diagnostics);

}  // namespace relay::app
