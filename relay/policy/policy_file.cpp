#include "relay/policy/policy_file.h"

#include <algorithm>

#include "relay/config/suggest.h"
#include "relay/policy/path_automaton.h"

namespace relay::policy {
namespace {

using config::Diagnostics;
using config::Value;

constexpr std::pair<std::string_view, ActionKind> kActions[] = {
    {"keep", ActionKind::keep},         {"drop", ActionKind::drop},       {"null", ActionKind::null},
    {"replace", ActionKind::replace},   {"mask", ActionKind::mask},       {"truncate", ActionKind::truncate},
    {"email", ActionKind::email},       {"hash", ActionKind::hash},       {"encrypt", ActionKind::encrypt},
    {"generalise", ActionKind::generalise}, {"detect", ActionKind::detect}};

// Which settings an action knows, and which of them it cannot do without.
struct ActionFields {
  ActionKind action;
  std::vector<std::string_view> known, needed;
};
const ActionFields& fields_of(ActionKind kind) {
  static const std::vector<ActionFields> kFields{
      {ActionKind::replace, {"with"}, {"with"}},
      {ActionKind::mask, {"keep_first", "keep_last"}, {}},
      {ActionKind::truncate, {"length"}, {"length"}},
      {ActionKind::email, {"key", "join"}, {}},
      {ActionKind::hash, {"key", "join"}, {"key"}},
      {ActionKind::encrypt, {"key", "join"}, {"key"}},
      {ActionKind::generalise, {"to", "bucket"}, {}},
      {ActionKind::detect, {"find", "patterns"}, {}},
      {ActionKind::keep, {}, {}},
  };
  for (const auto& fields : kFields)
    if (fields.action == kind) return fields;
  return kFields.back();
}

class Reader {
 public:
  Reader(const Value& root, std::string file, Diagnostics& out) : root_(root), out_(out) {
    policy_.file = std::move(file);
  }

  PolicyText read() {
    for (const auto& [id, key] : root_["keys"].entries()) read_key(id, key);
    const auto& blocks = root_["events"].items();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      path_ = "events[" + std::to_string(i) + "]";
      policy_.blocks.push_back(read_block(blocks[i]));
    }
    return std::move(policy_);
  }

 private:
  void wrong(const Value& at, const std::string& field, std::string message, std::string hint) {
    out_.push_back({at.mark(), field, std::move(message), std::move(hint), false});
  }

  void read_key(const std::string& id, const Value& value) {
    KeySpec spec;
    spec.id = id;
    const int places =
        int{value["file"].has_value()} + int{value["directory"].has_value()} + int{value["environment"].has_value()};
    if (places != 1)
      wrong(value, "keys." + id, places == 0 ? "it is not said where the key is" : "the key is in several places",
            "write one of file, directory and environment");
    if (const auto& v = value["file"]) spec.file = v.as_string();
    if (const auto& v = value["directory"]) spec.directory = v.as_string();
    if (const auto& v = value["environment"]) spec.environment = v.as_string();
    const auto& encoding = value["encoding"].as_string();
    spec.encoding = encoding == "raw"   ? KeySpec::Encoding::raw
                    : encoding == "hex" ? KeySpec::Encoding::hex
                                        : KeySpec::Encoding::base64;
    policy_.keys.push_back(std::move(spec));
  }

  BlockText read_block(const Value& value) {
    BlockText block;
    block.mark = value.mark();
    const auto& match = value["match"];
    block.aggregate_types = read_list(match["aggregate_type"]);
    block.event_types = read_list(match["event_type"]);
    block.tables = read_list(match["table"]);
    if (!match["aggregate_type"] && !match["event_type"] && !match["table"])
      wrong(match, path_ + ".match", "it names nothing",
            "write aggregate_type: NAME, or aggregate_type: \"*\" for every event");
    read_field(value, "id", block.id);
    read_field(value, "key", block.key);
    read_field(value, "aggregate_type", block.aggregate_type);
    read_field(value, "event_type", block.event_type);
    check_id(value["id"], block.id);
    check_type_is_named(value, "aggregate_type");
    check_type_is_named(value, "event_type");
    for (const auto& [name, rule] : value["headers"].entries())
      block.headers.push_back({name, read_rule(rule, path_ + ".headers." + name)});
    read_payload(value, block);
    return block;
  }

  // "*" is any value, like a line that is not there; but the line says that this is meant.
  static std::vector<std::string> read_list(const Value& value) {
    std::vector<std::string> out;
    for (const auto& item : value.items()) {
      if (item.as_string() == kAny) return {};
      out.push_back(item.as_string());
    }
    return out;
  }

  void read_field(const Value& block, const char* name, std::optional<RuleText>& out) {
    if (const auto& value = block[name]) out = read_rule(value, path_ + "." + name);
  }

  void check_id(const Value& value, const std::optional<RuleText>& rule) {
    if (!rule || rule->action == ActionKind::keep || rule->action == ActionKind::hash ||
        rule->action == ActionKind::encrypt)
      return;
    wrong(value, path_ + ".id", std::string(to_string(rule->action)) + " would make different ids equal",
          "write keep, hash or encrypt: consumers recognise repeated events by the id");
  }

  // The types become topic names and headers. What `match` names is known to the author; anything else needs a rule.
  void check_type_is_named(const Value& block, const char* field) {
    if (block["match"][field] || block[field]) return;
    wrong(block, path_ + "." + field, "neither `match` nor a rule says what may leave of it",
          "name its values in match, or write " + std::string(field) + ": keep");
  }

  void read_payload(const Value& block, BlockText& out) {
    const auto& payload = block["payload"];
    if (!payload) {
      wrong(block, path_ + ".payload", "is missing",
            "write the paths that may leave; payload: {} lets nothing of it leave");
      return;
    }
    for (const auto& [text, value] : payload.entries()) {
      const auto field = path_ + ".payload." + text;
      auto rule = read_rule(value, field);
      auto path = JsonPath::parse(text);
      if (!path) {
        wrong(value, field, "at character " + std::to_string(path.error().position + 1) + ": " + path.error().message,
              "for example $.customer.email, $.items[*].sku, $['odd name'], $..ssn");
        continue;
      }
      check_path(*path, rule, value, field, out);
      out.payload.push_back({std::move(*path), std::move(rule)});
    }
    check_size(payload, out);
  }

  void check_path(const JsonPath& path, const RuleText& rule, const Value& value, const std::string& field,
                  const BlockText& block) {
    if (path.steps.empty() && (rule.action == ActionKind::drop || rule.action == ActionKind::null))
      wrong(value, field, "an event without its payload is a deletion to many consumers",
            "write payload: {} for an empty one");
    for (const auto& other : block.payload)
      if (other.path == path)
        wrong(value, field, "the path stands twice, once as " + other.path.text(), "remove one of them");
  }

  void check_size(const Value& payload, const BlockText& block) {
    std::vector<JsonPath> paths;
    for (const auto& rule : block.payload) paths.push_back(rule.path);
    if (!PathAutomaton::build(paths))
      wrong(payload, path_ + ".payload", "these paths have too many combinations", "use fewer paths with .. and *");
  }

  RuleText read_rule(const Value& value, const std::string& field) {
    RuleText rule;
    rule.mark = value.mark();
    if (!value["action"]) return rule;
    const auto& name = value["action"].as_string();
    rule.action =
        std::find_if(std::begin(kActions), std::end(kActions), [&](const auto& a) { return a.first == name; })->second;
    check_settings(value, rule.action, field);
    read_settings(value, rule);
    if (!rule.key.empty()) check_key(value, rule.key, field);
    if (!rule.join.empty() && rule.key.empty())
      wrong(value["join"], field + ".join", "there is no key to share", "write key: NAME");
    if (rule.action == ActionKind::generalise && value["to"].has_value() == value["bucket"].has_value())
      wrong(value, field, "generalise wants exactly one of `to` and `bucket`", "write to: month, or bucket: 10");
    if (rule.action == ActionKind::detect) check_patterns(value, rule, field);
    return rule;
  }

  void check_settings(const Value& value, ActionKind action, const std::string& field) {
    const auto& fields = fields_of(action);
    for (const auto& [name, setting] : value.entries()) {
      if (name == "action" || name == "class") continue;
      if (std::find(fields.known.begin(), fields.known.end(), name) == fields.known.end())
        wrong(setting, field + "." + name, "the action " + std::string(to_string(action)) + " has no " + name,
              fields.known.empty() ? "remove it"
                                   : "it knows " + config::listed({fields.known.begin(), fields.known.end()}, "and"));
    }
    for (const auto& name : fields.needed)
      if (!value[name])
        wrong(value, field, "the action " + std::string(to_string(action)) + " wants " + std::string(name),
              "write {action: " + std::string(to_string(action)) + ", " + std::string(name) + ": ...}");
  }

  static void read_settings(const Value& value, RuleText& rule) {
    const auto text = [&](const char* name) { return value[name] ? value[name].as_string() : std::string(); };
    const auto number = [&](const char* name) { return value[name] ? value[name].as_int() : 0; };
    rule.key = text("key");
    rule.join = text("join");
    rule.data_class = text("class");
    rule.with = text("with");
    rule.to = text("to");
    rule.keep_first = static_cast<std::size_t>(number("keep_first"));
    rule.keep_last = static_cast<std::size_t>(number("keep_last"));
    rule.length = static_cast<std::size_t>(number("length"));
    rule.bucket = number("bucket");
    const auto finds = [&](std::string_view name) {
      const auto& items = value["find"].items();
      if (!value["find"]) return !value["patterns"];
      return std::any_of(items.begin(), items.end(), [&](const Value& v) { return v.as_string() == name; });
    };
    rule.find_email = finds("email");
    rule.find_card = finds("card");
    rule.find_iban = finds("iban");
    for (const auto& [name, expression] : value["patterns"].entries())
      rule.patterns.push_back({name, expression.as_string()});
  }

  void check_key(const Value& value, const std::string& key, const std::string& field) {
    std::vector<std::string> known;
    for (const auto& spec : policy_.keys) known.push_back(spec.id);
    if (std::find(known.begin(), known.end(), key) == known.end())
      wrong(value["key"], field + ".key", "there is no key " + key,
            known.empty() ? "declare it under keys" : config::suggestion(key, known));
  }

  void check_patterns(const Value& value, const RuleText& rule, const std::string& field) {
    const auto detectors = Detectors::make(rule.find_email, rule.find_card, rule.find_iban, rule.patterns);
    if (!detectors)
      wrong(value["patterns"], field + ".patterns." + detectors.error().name, detectors.error().message,
            "RE2's syntax; $$ stands for $");
    else if (detectors->names().empty())
      wrong(value, field, "nothing is to be found", "write find: [email, card, iban], or patterns");
  }

  const Value& root_;
  Diagnostics& out_;
  PolicyText policy_;
  std::string path_;  // of the block
};

LoadedPolicy read(config::Loaded loaded, const std::string& file) {
  LoadedPolicy out;
  out.diagnostics = std::move(loaded.diagnostics);
  if (out.has_errors()) return out;
  out.policy = Reader(loaded.root, file, out.diagnostics).read();
  config::sort_by_place(out.diagnostics, {file});
  return out;
}

}  // namespace

std::string_view to_string(ActionKind kind) {
  for (const auto& [name, action] : kActions)
    if (action == kind) return name;
  return "";
}

bool LoadedPolicy::has_errors() const {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const auto& d) { return !d.warning; });
}

LoadedPolicy load_policy(const std::string& file, const config::Environment& environment) {
  return read(config::load({file}, policy_spec(), environment), file);
}

LoadedPolicy load_policy_text(const config::NamedText& text, const config::Environment& environment) {
  return read(config::load_texts({text}, policy_spec(), environment), text.file);
}

}  // namespace relay::policy
