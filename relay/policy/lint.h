// What is probably not meant in a policy: rules that cannot or never did match, fields whose hash protects little,
// values that leave and should perhaps not. Pure.
#pragma once

#include <string>
#include <vector>

#include "relay/policy/survey.h"

namespace relay::policy {

struct LintFinding {
  config::Mark mark;
  std::string code;     // rule_shadowed, block_shadowed, key_unused, rule_never_matched, block_never_matched,
                        // low_entropy, detected_in_kept
  std::string subject;  // "events[0].payload.$.a"
  std::string message;
  std::string hint;
};

// `sample` may be nullptr: then only what the policy itself shows.
std::vector<LintFinding> lint(const PolicyText& policy, const Survey* sample);

}  // namespace relay::policy
