// The policy file: YAML -> plain values, checked in everything that can be checked without keys and events. All
// problems at once, in the form of relay/config. Reads that one file (load_policy) and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/config/diagnostic.h"
#include "relay/config/field.h"
#include "relay/config/load.h"
#include "relay/policy/detect.h"
#include "relay/policy/json_path.h"
#include "relay/policy/keys.h"
#include "relay/policy/text_actions.h"

namespace relay::policy {

enum class ActionKind : std::uint8_t {
  keep, drop, null, replace, mask, truncate, email, hash, encrypt, generalise, detect
};
std::string_view to_string(ActionKind kind);

// One rule as it is written. Which of the fields mean something depends on the action.
struct RuleText {
  ActionKind action = ActionKind::drop;
  std::string key;         // hash, encrypt; email: hashed instead of masked
  std::string join;        // hash, encrypt, email: the name under which fields share a key
  std::string data_class;  // of the field, for CloudEvents' dataclassification
  std::string with;        // replace
  std::size_t keep_first = 0, keep_last = 0;  // mask
  std::size_t length = 0;                     // truncate
  std::int64_t bucket = 0;                    // generalise; 0: `to`
  std::string to;                             // generalise: year, month, day, network
  bool find_email = false, find_card = false, find_iban = false;  // detect
  std::vector<OwnPattern> patterns;                               // detect
  config::Mark mark;
};

struct NamedRule {
  std::string name;  // of a header
  RuleText rule;
};

struct PathRule {
  JsonPath path;
  RuleText rule;
};

// One entry of `events`. Of an empty list, any value matches.
struct BlockText {
  std::vector<std::string> aggregate_types, event_types, tables;
  std::optional<RuleText> id, key, aggregate_type, event_type;
  std::vector<NamedRule> headers;
  std::vector<PathRule> payload;
  config::Mark mark;
};

struct PolicyText {
  std::string file;
  std::vector<KeySpec> keys;
  std::vector<BlockText> blocks;
};

struct LoadedPolicy {
  PolicyText policy;  // meaningless when there are errors
  config::Diagnostics diagnostics;
  bool has_errors() const;
};

config::FieldSpec policy_spec();

LoadedPolicy load_policy(const std::string& file, const config::Environment& environment);
LoadedPolicy load_policy_text(const config::NamedText& text, const config::Environment& environment);

// What a value of `match` stands for when it is any value.
inline constexpr std::string_view kAny = "*";

}  // namespace relay::policy
