// The answers of `doctor`, written for people or for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "relay/model/finding.h"

namespace relay::app {

struct PipelineFindings {
  std::string pipeline;
  Findings findings;
};

// Grouped by pipeline and by what was looked at; under each finding, indented, what mends it, ready to copy.
std::string findings_text(const std::vector<PipelineFindings>& all, bool colour);
// {"errors":0,"warnings":1,"pipelines":[{"name":...,"findings":[{"severity":...,"code":...,...}]}]}
std::string findings_json(const std::vector<PipelineFindings>& all);

}  // namespace relay::app
