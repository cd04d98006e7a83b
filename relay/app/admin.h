// What the commands that look at or change a pipeline's slot and progress have in common.
#pragma once

#include <functional>

#include "relay/app/session.h"
#include "relay/app/stopper.h"
#include "relay/pipeline/pipeline.h"

namespace relay::app {

// How long a question to the sink may take.
inline constexpr Millis kAdminTimeout{60'000};
// A look that changes nothing and waits for no transaction.
inline constexpr Millis kLookTimeout{15'000};

// Builds the parts of one pipeline, calls `work` and gives everything back. A failure is printed.
ExitCode with_parts(const Session& session, const Configuration& configuration, const PipelineConfig& pipeline,
                    const std::function<Result<ExitCode>(const AdminParts&)>& work);

}  // namespace relay::app
