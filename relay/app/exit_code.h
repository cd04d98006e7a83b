// What the process says with its exit code (sysexits.h), so that Kubernetes or systemd can tell what a restart mends.
#pragma once

#include <span>

#include "relay/base/result.h"
#include "relay/model/finding.h"
#include "relay/pipeline/pipeline.h"

namespace relay::app {

enum class ExitCode : int {
  ok = 0,
  usage = 64,          // the command line
  bug = 70,            // an assertion, an uncaught exception, a crash
  try_again = 75,      // a failure that a restart may mend, or a drain that was stopped early
  configuration = 78,  // the configuration, or a refusal that no restart mends
};

constexpr int to_int(ExitCode code) { return static_cast<int>(code); }

// How a single command failed.
ExitCode exit_code_of(const Error& error);

// How all pipelines ended: 75 when a restart helps any of them, else 78 when one was refused, else 0. With `draining`
// a pipeline that was stopped before it was drained counts as 75.
ExitCode exit_code_of(std::span<const PipelineExit> exits, bool draining);

// `doctor`: 78 with a red finding, 75 when all red ones say that nobody could be reached.
ExitCode exit_code_of(const Findings& findings);

}  // namespace relay::app
