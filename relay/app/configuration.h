// The configuration of this run: loaded, checked across its parts, and the pipelines that were asked for.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/component.h"
#include "relay/app/invocation.h"
#include "relay/config/load.h"

namespace relay::app {

// One pipeline of the configuration. The references are valid as long as the Configuration is.
struct PipelineConfig {
  std::string name;
  const config::Value* value = nullptr;  // pipelines.<name>
  const connectors::SourceSpec* source = nullptr;
  const connectors::SinkSpec* sink = nullptr;
};

struct Configuration {
  std::shared_ptr<const config::Value> root;
  std::vector<PipelineConfig> pipelines;  // in the order written
  config::Diagnostics diagnostics;

  bool has_errors() const;
  const config::Value& database() const { return (*root)["database"]; }
};

// Everything that can be known without a network: the fields, what the connectors check, and what concerns several
// pipelines. With errors, `pipelines` is empty.
Configuration load_configuration(const std::vector<std::string>& files, const config::Environment& environment,
                                 const std::vector<connectors::Component>& catalog);
Configuration check_configuration(config::Loaded loaded, const std::vector<std::string>& files,
                                  const std::vector<connectors::Component>& catalog);

// Keeps the pipelines named, in the order of the file; all when none is named. An unknown name is an error's text.
tl::expected<void, std::string> select_pipelines(Configuration& configuration, const std::vector<std::string>& names);

// "outbox-relay.yaml:3:5: error: ..." for each, and a line that counts them.
std::string report(const config::Diagnostics& diagnostics);

}  // namespace relay::app
