// What a sample of events holds, field by field, and what a policy decides about each: what preview, report and lint
// look at. For people; nothing of it runs while events are delivered. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "relay/model/batch.h"
#include "relay/policy/path_automaton.h"
#include "relay/policy/policy_file.h"

namespace relay::policy {

// A value at the end of a path: a scalar, or an empty object or array.
struct Leaf {
  JsonPath path;     // without any * or ..
  std::string raw;   // as it stands
  char type = 'n';   // s string, d number, b boolean, n null, o object, a array
};
// In the order of the document; nullopt when the rewriter would not take it.
std::optional<std::vector<Leaf>> leaves_of(std::string_view json);

// "order order_placed of public.outbox"
std::string kind_of(const Event& event);

// The rule that decides about a value at `path`: its own, or the one of what it stands in; nullptr: none, it is denied.
class Decider {
 public:
  explicit Decider(const BlockText& block);
  const PathRule* rule_for(const JsonPath& path) const;

 private:
  const BlockText& block_;
  PathAutomaton automaton_;
};

// The first block that matches; nullptr: blocked.
const BlockText* block_for(const PolicyText& policy, const Event& event);

struct FieldSeen {
  static constexpr std::size_t kDistinctMax = 1'000;

  std::string name;  // "key", "header x", "$.items[*].sku"
  const RuleText* rule = nullptr;
  std::string rule_name;  // of the rule: may be of what the field stands in
  bool leaves = false;
  std::uint64_t count = 0, nulls = 0;
  std::set<char> types;
  std::set<std::string> distinct;  // values, up to kDistinctMax of them
  std::map<std::string, std::uint64_t> hits;  // by detector: values with a find
};

struct KindSeen {
  std::string name;
  const BlockText* block = nullptr;
  std::uint64_t events = 0, unreadable = 0;
  std::vector<FieldSeen> fields;
};

struct Survey {
  std::uint64_t events = 0;
  std::vector<KindSeen> kinds;
  std::set<const PathRule*> used;  // payload rules that decided about something
};

Survey survey(const PolicyText& policy, const Batch& sample);

}  // namespace relay::policy
