// A policy with its keys, ready to be applied: which block an event belongs to, and what of each of its fields leaves.
// Touches nothing but the fields it is given. Not thread-safe, since actions keep buffers: each pipeline has its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.h"
#include "relay/model/event.h"
#include "relay/policy/json_rewriter.h"
#include "relay/policy/policy_file.h"

namespace relay::policy {

// What is done with one field of an event that is plain text: id, key, types, headers.
class FieldRule {
 public:
  enum class Result { unchanged, changed, null, gone, failed };

  FieldRule() = default;  // keeps
  explicit FieldRule(Rule rule, bool null = false) : rule_(std::move(rule)), null_(null) {}

  // changed: `out` is what leaves. NULL stays NULL. failed: the field is not for such an action.
  Result apply(std::string_view text, std::string& out);

 private:
  Rule rule_{Rule::Kind::keep, {}, nullptr};
  bool null_ = false;
};

struct Block {
  struct HeaderRule {
    std::string name;
    FieldRule rule;
  };

  std::vector<std::string> aggregate_types, event_types, tables;  // empty: any
  FieldRule id, key, aggregate_type, event_type;
  std::vector<HeaderRule> headers;
  bool payload_as_it_is = false;  // `$: keep` and nothing else: not looked into, any bytes
  PayloadRules payload;
  std::string classes;                    // of data, "financial,personal"; may be empty
  std::vector<std::string> wrong_types;   // reasons of rejection, one a payload rule
  std::vector<std::string> object_paths;  // by automaton state: "$.customer", where a rule names members; else empty

  bool matches(const Event& event) const;
};

struct Policy {
  std::vector<Block> blocks;

  Block* block_for(const Event& event);
};

// REQUIRES: `text` was loaded without errors and `keys` are its keys.
std::unique_ptr<Policy> compile(const PolicyText& text, const Keys& keys);

// Of every field that the policy encrypts, the name under which its key is derived.
std::vector<std::string> encrypted_fields(const PolicyText& text);

// The name under which a field's key is derived (keyed_actions.h).
std::string field_name(const RuleText& rule, const std::string& place);
inline std::string place_of_payload(const JsonPath& path) { return "payload " + path.text(); }

}  // namespace relay::policy
