// From a pipeline's configuration to the parts it runs with.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "connectors/component.h"
#include "relay/app/configuration.h"
#include "relay/app/supervisor.h"
#include "relay/pipeline/pipeline.h"

namespace relay::app {

PipelineOptions pipeline_options(const PipelineConfig& pipeline, bool drain);

// What the references in it point to outlives whatever is built with it: the configuration and the clock.
connectors::BuildContext build_context(const Configuration& configuration, const PipelineConfig& pipeline,
                                       const Logger& log);

// May ask files and servers. The stores come from the component that has them; which are needed follows from the sink
// and from on_reject.
Result<PipelineParts> build_parts(const Configuration& configuration, const PipelineConfig& pipeline,
                                  const std::vector<connectors::Component>& catalog, const Logger& log);

// Builds when it is run, so that one pipeline that cannot be built does not keep the others from starting; failures
// that a retry may mend are retried with backoff.
std::unique_ptr<PipelineRun> make_run(const Configuration& configuration, const PipelineConfig& pipeline,
                                      const std::vector<connectors::Component>& catalog, bool drain, const Logger& log);

}  // namespace relay::app
