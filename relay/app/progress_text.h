// A progress record in words, and as JSON. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "relay/model/progress.h"

namespace relay::app {

using StoredProgress = std::pair<std::string, std::optional<Progress>>;  // of a pipeline

std::string progress_text(const std::string& pipeline, const std::optional<Progress>& progress);
// {"pipelines":[{"name":"orders","progress":{...} or null}]}
std::string progress_list_json(const std::vector<StoredProgress>& all);
// "0/16B3748, sequence 1234", for one line.
std::string short_progress(const std::optional<Progress>& progress);

}  // namespace relay::app
