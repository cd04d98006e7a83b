#include "relay/policy/survey.h"

#include <algorithm>

#include "relay/base/assert.h"
#include "relay/policy/json_scanner.h"
#include "relay/policy/unnamed_names.h"

namespace relay::policy {
namespace {

class LeafReader {
 public:
  explicit LeafReader(std::string_view json) : scanner_(json) {}

  std::optional<std::vector<Leaf>> read() {
    scanner_.space();
    if (!value(0)) return std::nullopt;
    scanner_.space();
    if (!scanner_.at_end()) return std::nullopt;
    return std::move(leaves_);
  }

 private:
  bool value(int depth) {
    const char* const first = scanner_.at();
    const char c = scanner_.peek();
    if (c == '{' || c == '[') return container(c, depth);
    if (c == '"') return scanner_.string() && leaf(first, 's');
    if (c == 't') return scanner_.word("true") && leaf(first, 'b');
    if (c == 'f') return scanner_.word("false") && leaf(first, 'b');
    if (c == 'n') return scanner_.word("null") && leaf(first, 'n');
    return scanner_.number() && leaf(first, 'd');
  }

  bool leaf(const char* first, char type) {
    leaves_.push_back({path_, std::string(first, scanner_.at()), type});
    return true;
  }

  bool container(char open, int depth) {
    if (depth >= JsonScanner::kDepthMax) return false;
    const char* const first = scanner_.at();
    const char close = open == '{' ? '}' : ']';
    scanner_.take(open);
    scanner_.space();
    if (scanner_.take(close)) return leaf(first, open == '{' ? 'o' : 'a');
    std::uint64_t index = 0;
    do {
      scanner_.space();
      if (open == '{' ? !name() : (path_.steps.push_back({PathStep::Kind::element, false, {}, index++}), false))
        return false;
      if (!value(depth + 1)) return false;
      path_.steps.pop_back();
      scanner_.space();
    } while (scanner_.take(','));
    return scanner_.take(close);
  }

  bool name() {
    const auto text = scanner_.string();
    if (!text) return false;
    std::string plain;
    unescape(text->raw, plain);
    path_.steps.push_back({PathStep::Kind::member, false, std::move(plain), 0});
    scanner_.space();
    if (!scanner_.take(':')) return false;
    scanner_.space();
    return true;
  }

  JsonScanner scanner_;
  JsonPath path_;
  std::vector<Leaf> leaves_;
};

PathAutomaton automaton_of(const BlockText& block) {
  std::vector<JsonPath> paths;
  for (const auto& rule : block.payload) paths.push_back(rule.path);
  auto automaton = PathAutomaton::build(paths);
  RELAY_ASSERT(automaton.has_value());
  return std::move(*automaton);
}

bool names(const std::vector<std::string>& list, std::string_view value) {
  return list.empty() || (value.data() != nullptr && std::find(list.begin(), list.end(), value) != list.end());
}

// Elements of an array are one field; so are members whose names may be values in disguise, as in {"bob@example.com":
// 1}.
std::string field_of(const JsonPath& path, const PathRule* rule) {
  const bool named = rule != nullptr && rule->path == path;
  auto general = path;
  for (auto& step : general.steps) {
    if (step.kind == PathStep::Kind::element) step.kind = PathStep::Kind::any_element;
    if (step.kind == PathStep::Kind::member && !named && !is_plain_name(step.name)) step.name = "?";
  }
  return general.text();
}

class Surveyor {
 public:
  explicit Surveyor(const PolicyText& policy) : policy_(policy) {
    for (const auto& block : policy.blocks) deciders_.emplace(&block, Decider(block));
  }

  void take(const Event& event) {
    ++out_.events;
    auto& kind = kind_named(kind_of(event), block_for(policy_, event));
    ++kind.events;
    const auto* const block = kind.block;
    const auto rule = [&](std::optional<RuleText> BlockText::*member) {
      return block != nullptr && block->*member ? &*(block->*member) : nullptr;
    };
    take_text(kind, "id", event.id, rule(&BlockText::id), block != nullptr);
    take_text(kind, "key", event.aggregate_id, rule(&BlockText::key), false);
    take_text(kind, "aggregate_type", event.aggregate_type, rule(&BlockText::aggregate_type), block != nullptr);
    take_text(kind, "event_type", event.event_type, rule(&BlockText::event_type), block != nullptr);
    for (const auto& header : event.headers) take_header(kind, header);
    if (!event.is_tombstone()) take_payload(kind, event.payload);
  }

  Survey finish() && { return std::move(out_); }

 private:
  KindSeen& kind_named(const std::string& name, const BlockText* block) {
    const auto at =
        std::find_if(out_.kinds.begin(), out_.kinds.end(), [&](const KindSeen& k) { return k.name == name; });
    if (at != out_.kinds.end()) return *at;
    out_.kinds.push_back({name, block, 0, 0, {}});
    return out_.kinds.back();
  }

  static FieldSeen& field_named(KindSeen& kind, const std::string& name) {
    const auto at =
        std::find_if(kind.fields.begin(), kind.fields.end(), [&](const FieldSeen& f) { return f.name == name; });
    if (at != kind.fields.end()) return *at;
    kind.fields.emplace_back();
    kind.fields.back().name = name;
    return kind.fields.back();
  }

  void take_header(KindSeen& kind, const Header& header) {
    const RuleText* rule = nullptr;
    if (kind.block != nullptr)
      for (const auto& named : kind.block->headers)
        if (named.name == header.name) rule = &named.rule;
    take_text(kind, "header " + std::string(header.name), header.value, rule, false);
  }

  void take_text(KindSeen& kind, const std::string& name, std::string_view text, const RuleText* rule,
                 bool leaves_without) {
    auto& field = field_named(kind, name);
    field.rule = rule;
    field.rule_name = rule != nullptr ? name : "";
    field.leaves = rule != nullptr ? rule->action != ActionKind::drop : leaves_without;
    if (text.data() == nullptr)
      count(field, 'n', {});
    else
      count(field, 's', text);
  }

  void take_payload(KindSeen& kind, std::string_view payload) {
    const auto leaves = leaves_of(payload);
    if (!leaves) {
      ++kind.unreadable;
      return;
    }
    for (const auto& leaf : *leaves) {
      const auto* const rule = kind.block != nullptr ? deciders_.at(kind.block).rule_for(leaf.path) : nullptr;
      auto& field = field_named(kind, field_of(leaf.path, rule));
      if (rule != nullptr) {
        out_.used.insert(rule);
        field.rule = &rule->rule;
        field.rule_name = rule->path.text();
        field.leaves |= rule->rule.action != ActionKind::drop;
      }
      text_.clear();
      if (leaf.type == 's') unescape(std::string_view(leaf.raw).substr(1, leaf.raw.size() - 2), text_);
      count(field, leaf.type, leaf.type == 's' ? std::string_view(text_) : std::string_view(leaf.raw));
    }
  }

  void count(FieldSeen& field, char type, std::string_view text) {
    ++field.count;
    field.types.insert(type);
    if (type == 'n') {
      ++field.nulls;
      return;
    }
    if (field.distinct.size() < FieldSeen::kDistinctMax) field.distinct.emplace(text);
    if (type != 's' && type != 'd') return;
    detectors_.find(text, found_);
    std::set<std::size_t> kinds;
    for (const auto& find : found_) kinds.insert(find.detector);
    for (const auto detector : kinds) ++field.hits[detectors_.names()[detector]];
  }

  const PolicyText& policy_;
  std::map<const BlockText*, Decider> deciders_;
  Detectors detectors_ = Detectors::all();
  std::vector<Found> found_;
  std::string text_;
  Survey out_;
};

}  // namespace

std::optional<std::vector<Leaf>> leaves_of(std::string_view json) { return LeafReader(json).read(); }

std::string kind_of(const Event& event) {
  std::string out;
  for (const auto part : {event.aggregate_type, event.event_type})
    if (!part.empty()) out.append(part).append(" ");
  return out + "of " + (event.source_table.empty() ? "(no table)" : std::string(event.source_table));
}

Decider::Decider(const BlockText& block) : block_(block), automaton_(automaton_of(block)) {}

const PathRule* Decider::rule_for(const JsonPath& path) const {
  const PathRule* kept = nullptr;
  auto state = automaton_.root();
  for (std::size_t i = 0;; ++i) {
    const auto& node = automaton_.node(state);
    if (node.rule != PathAutomaton::kNoRule) {
      const auto& rule = block_.payload[static_cast<std::size_t>(node.rule)];
      if (rule.rule.action != ActionKind::keep) return &rule;
      kept = &rule;
    }
    if (i == path.steps.size() || state == PathAutomaton::kDead) return kept;
    const auto& step = path.steps[i];
    const bool member = step.kind == PathStep::Kind::member || step.kind == PathStep::Kind::any_member;
    state = member ? automaton_.member(node, step.name) : automaton_.element(node, step.index);
  }
}

const BlockText* block_for(const PolicyText& policy, const Event& event) {
  for (const auto& block : policy.blocks)
    if (names(block.aggregate_types, event.aggregate_type) && names(block.event_types, event.event_type) &&
        names(block.tables, event.source_table))
      return &block;
  return nullptr;
}

Survey survey(const PolicyText& policy, const Batch& sample) {
  Surveyor surveyor(policy);
  for (const auto& event : sample.events()) surveyor.take(event);
  return std::move(surveyor).finish();
}

}  // namespace relay::policy
