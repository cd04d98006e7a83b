#include "relay/policy/policy_file.h"

#include "policy_rig.h"

using namespace relay::policy;
using namespace relay::policy::test;

namespace {

std::string problems(const std::string& yaml) { return said(load(yaml).diagnostics); }
bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

// One block with these lines instead of the usual ones.
std::string block(const std::string& lines) {
  return problems("version: 1\nkeys: {k1: {environment: K1}}\nevents:\n  - " + lines + "\n");
}

}  // namespace

TEST_CASE("the policy of the documentation loads and means what it says") {
  const auto loaded = load(R"(
version: 1
default: deny
keys: {pii_2026: {file: /etc/outbox-relay/keys/pii_2026}, pii_2025: {environment: OLD, encoding: hex}}
events:
  - match: {aggregate_type: order, event_type: [order_placed, order_paid]}
    key: {action: hash, key: pii_2026}
    headers: {trace_id: keep}
    payload:
      $.order_id: keep
      $.customer.email: {action: hash, key: pii_2026, class: personal}
      $.customer.phone: {action: mask, keep_last: 2}
      $.customer.birthday:
      $.items[*].sku: keep
)");
  REQUIRE_MESSAGE(!loaded.has_errors(), said(loaded.diagnostics));
  const auto& policy = loaded.policy;
  CHECK(policy.keys[0].file == "/etc/outbox-relay/keys/pii_2026");
  CHECK(policy.keys[1].encoding == KeySpec::Encoding::hex);
  REQUIRE(policy.blocks.size() == 1);
  const auto& first = policy.blocks[0];
  CHECK(first.aggregate_types == std::vector<std::string>{"order"});
  CHECK(first.event_types.size() == 2);
  CHECK(first.key->action == ActionKind::hash);
  REQUIRE(first.payload.size() == 5);
  CHECK(first.payload[1].path.text() == "$.customer.email");
  CHECK(first.payload[1].rule.data_class == "personal");
  CHECK(first.payload[2].rule.keep_last == 2);
  CHECK(first.payload[3].rule.action == ActionKind::null);
}

TEST_CASE("all problems are told at once, with their places") {
  const auto out = problems(R"(version: 1
keys: {k1: {}}
events:
  - match: {}
    key: shred
    payload: {$.a: hash, $x: keep}
)");
  CHECK(has(out, "policy.yaml:5:10: error: events[0].key.action: \"shred\" is none of keep"));
  const auto later = problems(R"(version: 1
keys: {k1: {}}
events:
  - match: {}
    key: keep
    payload: {$.a: hash, $x: keep}
)");
  CHECK(has(later, "policy.yaml:2:12: error: keys.k1: it is not said where the key is"));
  CHECK(has(later, "events[0].match: it names nothing"));
  CHECK(has(later, "events[0].aggregate_type: neither `match` nor a rule says what may leave of it"));
  CHECK(has(later, "events[0].payload.$.a: the action hash wants key"));
  CHECK(has(later, "events[0].payload.$x: at character 2: expected . or ["));
}

TEST_CASE("what must be decided must be written") {
  CHECK(has(problems("version: 1\n"), "events: is missing"));
  CHECK(has(problems("events: []\n"), "version: is missing"));
  CHECK(has(block("match: {aggregate_type: a, event_type: b}\n    payload: {}"), "events[0].key: is missing"));
  CHECK(has(block("match: {aggregate_type: a, event_type: b}\n    key: keep"), "events[0].payload: is missing"));
  CHECK(has(block("match: {aggregate_type: a}\n    key: keep\n    payload: {}"),
            "hint: name its values in match, or write event_type: keep"));
  CHECK(block("match: {aggregate_type: a}\n    event_type: keep\n    key: keep\n    payload: {}").empty());
  CHECK(block("match: {aggregate_type: a, event_type: \"*\"}\n    key: keep\n    payload: {}").empty());
  CHECK(has(problems("version: 1\ndefault: keep\nevents: []\n"), "\"keep\" is none of deny"));
}

TEST_CASE("settings that an action has not are errors") {
  const auto rule = [](const std::string& text) {
    return block("match: {aggregate_type: a, event_type: b}\n    key: keep\n    payload: {$.a: " + text + "}");
  };
  CHECK(rule("{action: mask, keep_first: 1}").empty());
  CHECK(has(rule("{action: mask, length: 1}"),
            "the action mask has no length\n  hint: it knows keep_first and keep_last"));
  CHECK(has(rule("{action: keep, key: k1}"), "the action keep has no key"));
  CHECK(has(rule("truncate"), "the action truncate wants length"));
  CHECK(has(rule("replace"), "the action replace wants with"));
  CHECK(has(rule("{action: hash, key: k2}"), "there is no key k2\n  hint: did you mean k1?"));
  CHECK(has(rule("{action: email, join: x}"), "there is no key to share"));
  CHECK(has(rule("generalise"), "generalise wants exactly one of `to` and `bucket`"));
  CHECK(has(rule("{action: generalise, to: month, bucket: 3}"), "generalise wants exactly one"));
  CHECK(has(rule("{action: detect, patterns: {a: \"(\"}}"), "payload.$.a.patterns.a: missing )"));
  CHECK(has(rule("{action: detect, patterns: {a: \"x*\"}}"), "it matches the empty text"));
  CHECK(has(rule("{action: detect, find: []}"), "nothing is to be found"));
  CHECK(rule("{action: detect, find: card}").empty());
}

TEST_CASE("paths that are the same, and payloads that would become deletions, are errors") {
  const auto payload = [](const std::string& text) {
    return block("match: {aggregate_type: a, event_type: b}\n    key: keep\n    payload: {" + text + "}");
  };
  CHECK(has(payload("$.a: keep, \"$['a']\": drop"), "the path stands twice, once as $.a"));
  CHECK(has(payload("$: drop"), "an event without its payload is a deletion"));
  CHECK(has(block("match: {aggregate_type: a, event_type: b}\n    id: drop\n    key: keep\n    payload: {}"),
            "drop would make different ids equal"));
  std::string many;
  for (int i = 0; i < 12; ++i) many += (i ? ", \"$..a" : "\"$..a") + std::to_string(i) + ".*.*.*.*.x\": keep";
  CHECK(has(payload(many), "these paths have too many combinations"));
}
