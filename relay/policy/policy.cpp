#include "relay/policy/policy.h"

#include <algorithm>
#include <set>

#include "relay/base/assert.h"
#include "relay/base/json_text.h"
#include "relay/policy/keyed_actions.h"

namespace relay::policy {
namespace {

std::unique_ptr<Action> generalise(const RuleText& text) {
  if (text.bucket != 0) return bucket_action(text.bucket);
  if (text.to == "network") return network_action();
  return date_action(text.to == "year" ? DatePart::year : text.to == "month" ? DatePart::month : DatePart::day);
}

std::unique_ptr<Action> detect(const RuleText& text) {
  auto detectors = Detectors::make(text.find_email, text.find_card, text.find_iban, text.patterns);
  RELAY_ASSERT(detectors.has_value());
  return detect_action(std::move(*detectors));
}

const KeyBytes& key_of(const RuleText& text, const Keys& keys) {
  const auto key = keys.find(text.key);
  RELAY_ASSERT(key != keys.end());
  return key->second;
}

std::unique_ptr<Action> make_action(const RuleText& text, const std::string& place, const Keys& keys) {
  const auto field = field_name(text, place);
  switch (text.action) {
    case ActionKind::mask: return mask_action(text.keep_first, text.keep_last);
    case ActionKind::truncate: return truncate_action(text.length);
    case ActionKind::email:
      return text.key.empty() ? email_action() : hashed_email_action(key_of(text, keys), text.key, field);
    case ActionKind::hash: return hash_action(key_of(text, keys), text.key, field);
    case ActionKind::encrypt: return encrypt_action(key_of(text, keys), text.key, field);
    case ActionKind::generalise: return generalise(text);
    case ActionKind::detect: return detect(text);
    case ActionKind::keep:
    case ActionKind::drop:
    case ActionKind::null:
    case ActionKind::replace: break;
  }
  return nullptr;
}

Rule payload_rule(const RuleText& text, const std::string& place, const Keys& keys) {
  Rule rule;
  switch (text.action) {
    case ActionKind::keep: rule.kind = Rule::Kind::keep; break;
    case ActionKind::drop: rule.kind = Rule::Kind::drop; break;
    case ActionKind::null:
      rule.kind = Rule::Kind::replace;
      rule.replacement = "null";
      break;
    case ActionKind::replace:
      rule.kind = Rule::Kind::replace;
      append_quoted(text.with, rule.replacement);
      break;
    default:
      rule.kind = Rule::Kind::act;
      rule.action = make_action(text, place, keys);
  }
  return rule;
}

FieldRule field_rule(const std::optional<RuleText>& text, const std::string& place, const Keys& keys) {
  if (!text) return {};
  auto rule = payload_rule(*text, place, keys);
  if (text->action == ActionKind::replace) rule.replacement = text->with;
  return FieldRule(std::move(rule), text->action == ActionKind::null);
}

std::string classes_of(const BlockText& text) {
  std::set<std::string> all;
  const auto add = [&](const RuleText& rule) {
    if (!rule.data_class.empty() && rule.action != ActionKind::drop) all.insert(rule.data_class);
  };
  for (const auto* rule : {&text.id, &text.key, &text.aggregate_type, &text.event_type})
    if (*rule) add(**rule);
  for (const auto& header : text.headers) add(header.rule);
  for (const auto& path : text.payload) add(path.rule);
  std::string out;
  for (const auto& name : all) out += (out.empty() ? "" : ",") + name;
  return out;
}

// By what path each object is reached of which rules name members.
void name_objects(const PathAutomaton& paths, PathAutomaton::State state, const std::string& path,
                  std::vector<std::string>& out) {
  if (state == PathAutomaton::kDead) return;
  if (out.size() <= state) out.resize(state + 1);
  const auto& node = paths.node(state);
  if (!node.placed || !out[state].empty()) return;
  out[state] = path;
  for (const auto& edge : node.members) name_objects(paths, edge.to, path + "." + edge.name, out);
  for (const auto& edge : node.elements)
    name_objects(paths, edge.to, path + "[" + std::to_string(edge.index) + "]", out);
  name_objects(paths, node.other_element, path + "[*]", out);
}

void compile_payload(const BlockText& text, const Keys& keys, Block& block) {
  std::vector<JsonPath> paths;
  for (const auto& [path, rule] : text.payload) {
    paths.push_back(path);
    block.payload.rules.push_back(payload_rule(rule, place_of_payload(path), keys));
    block.wrong_types.push_back("the policy's rule for " + path.text() + " (" + std::string(to_string(rule.action)) +
                                ") is not for such a value");
  }
  auto automaton = PathAutomaton::build(paths);
  RELAY_ASSERT(automaton.has_value());
  block.payload.paths = std::move(*automaton);
  name_objects(block.payload.paths, block.payload.paths.root(), "$", block.object_paths);
  block.payload_as_it_is =
      text.payload.size() == 1 && paths[0].steps.empty() && text.payload[0].rule.action == ActionKind::keep;
}

Block compile_block(const BlockText& text, const Keys& keys) {
  Block block;
  block.aggregate_types = text.aggregate_types;
  block.event_types = text.event_types;
  block.tables = text.tables;
  block.id = field_rule(text.id, "id", keys);
  block.key = field_rule(text.key, "key", keys);
  block.aggregate_type = field_rule(text.aggregate_type, "aggregate_type", keys);
  block.event_type = field_rule(text.event_type, "event_type", keys);
  for (const auto& [name, rule] : text.headers)
    block.headers.push_back({name, field_rule(rule, "header " + name, keys)});
  compile_payload(text, keys, block);
  block.classes = classes_of(text);
  return block;
}

bool names(const std::vector<std::string>& list, std::string_view value) {
  return list.empty() || (value.data() != nullptr && std::find(list.begin(), list.end(), value) != list.end());
}

}  // namespace

FieldRule::Result FieldRule::apply(std::string_view text, std::string& out) {
  if (rule_.kind == Rule::Kind::drop) return Result::gone;
  if (text.data() == nullptr || rule_.kind == Rule::Kind::keep) return Result::unchanged;
  if (null_) return Result::null;
  out.clear();
  if (rule_.kind == Rule::Kind::replace) {
    out = rule_.replacement;
    return Result::changed;
  }
  switch (is_utf8(text) ? rule_.action->apply({Scalar::Type::string, text}, out) : Changed::wrong_type) {
    case Changed::no: return Result::unchanged;
    case Changed::to_text:
    case Changed::to_number: return Result::changed;
    case Changed::wrong_type: break;
  }
  return Result::failed;
}

bool Block::matches(const Event& event) const {
  return names(aggregate_types, event.aggregate_type) && names(event_types, event.event_type) &&
         names(tables, event.source_table);
}

Block* Policy::block_for(const Event& event) {
  for (auto& block : blocks)
    if (block.matches(event)) return &block;
  return nullptr;
}

std::unique_ptr<Policy> compile(const PolicyText& text, const Keys& keys) {
  auto policy = std::make_unique<Policy>();
  for (const auto& block : text.blocks) policy->blocks.push_back(compile_block(block, keys));
  return policy;
}

std::vector<std::string> encrypted_fields(const PolicyText& text) {
  std::vector<std::string> out;
  const auto add = [&](const RuleText& rule, const std::string& place) {
    if (rule.action == ActionKind::encrypt) out.push_back(field_name(rule, place));
  };
  for (const auto& block : text.blocks) {
    if (block.id) add(*block.id, "id");
    if (block.key) add(*block.key, "key");
    if (block.aggregate_type) add(*block.aggregate_type, "aggregate_type");
    if (block.event_type) add(*block.event_type, "event_type");
    for (const auto& [name, rule] : block.headers) add(rule, "header " + name);
    for (const auto& [path, rule] : block.payload) add(rule, place_of_payload(path));
  }
  return out;
}

std::string field_name(const RuleText& rule, const std::string& place) {
  return rule.join.empty() ? place : "join:" + rule.join;
}

}  // namespace relay::policy
