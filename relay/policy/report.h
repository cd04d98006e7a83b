// The record of what a sample holds and what becomes of it: every field, its class, its action, what detectors found.
// Holds names and counts and no value, so that it can be handed on. Pure.
#pragma once

#include <string>

#include "relay/policy/survey.h"

namespace relay::policy {

enum class ReportForm { text, json, markdown };

std::string report(const Survey& survey, const std::string& policy_file, ReportForm form);

}  // namespace relay::policy
