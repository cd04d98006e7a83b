#include "relay/policy/json_rewriter.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "relay/base/json_text.h"

namespace relay::policy {
namespace {

// Only tells keys apart that are different; equal ones are compared. Seeded, so that nobody can prepare a document
// whose keys must all be compared.
std::uint64_t hash_of(std::string_view text) {
  static const std::uint64_t kSeed = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  std::uint64_t hash = kSeed ^ text.size();
  const char* p = text.data();
  auto left = text.size();
  const auto mix = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    hash ^= hash >> 32;
  };
  for (; left >= 8; p += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    mix(word);
  }
  std::uint64_t word = 0;
  if (left > 0) std::memcpy(&word, p, left);
  mix(word);
  return hash;
}

}  // namespace

JsonRewriter::Outcome JsonRewriter::rewrite(std::string_view json, const PayloadRules& rules, UnnamedMembers* unnamed) {
  Outcome outcome;
  scanner_ = JsonScanner(json);
  rules_ = &rules;
  unnamed_ = unnamed;
  wrong_rule_ = PathAutomaton::kNoRule;
  run_ = nullptr;
  out_.clear();
  keys_.clear();
  if (json.size() > JsonScanner::kBytesMax) fault(JsonFault::size);
  bool leaves = false;
  if (scanner_.fault() == JsonFault::none) {
    open(scanner_.at());
    scanner_.space();
    leaves = value(rules.paths.root(), Mode::deny, 0);
    scanner_.space();
    if (scanner_.fault() == JsonFault::none && !scanner_.at_end()) fault(JsonFault::syntax);
  }
  outcome.fault = scanner_.fault();
  outcome.rule = wrong_rule_;
  if (outcome.fault != JsonFault::none) return outcome;
  if (!leaves) {
    outcome.fault = JsonFault::wrong_type;  // a document of which nothing leaves is no event
  } else if (out_.empty() && run_ == json.data()) {
    outcome.json = json;
  } else {
    close(scanner_.at());
    outcome.json = out_;
  }
  return outcome;
}

void JsonRewriter::take_back(const Mark& mark, const char* at) {
  out_.resize(mark.out);
  run_ = mark.run;
  close(at);
}

bool JsonRewriter::value(PathAutomaton::State state, Mode mode, int depth) {
  const auto& node = rules_->paths.node(state);
  if (node.rule != PathAutomaton::kNoRule) {
    if (rules_->rules[static_cast<std::size_t>(node.rule)].kind != Rule::Kind::keep) return apply(node.rule, depth);
    mode = Mode::keep;
  }
  if (!node.live) return pass(depth) && mode == Mode::keep;
  switch (scanner_.peek()) {
    case '{':
      return node.wants_array && !node.wants_object ? fault(JsonFault::wrong_type) : object(node, state, mode, depth);
    case '[': return node.wants_object && !node.wants_array ? fault(JsonFault::wrong_type) : array(node, mode, depth);
    default: return scalar(node, mode);
  }
}

// A value in whose place rules expect an object or array, and which is neither. null stands for one that is not there.
bool JsonRewriter::scalar(const PathAutomaton::Node& node, Mode mode) {
  const bool null = scanner_.peek() == 'n';
  if (!pass_scalar()) return false;
  if (!null && (node.wants_object || node.wants_array)) return fault(JsonFault::wrong_type);
  return mode == Mode::keep || (null && node.placed);
}

bool JsonRewriter::object(const PathAutomaton::Node& node, PathAutomaton::State state, Mode mode, int depth) {
  if (depth >= JsonScanner::kDepthMax) return fault(JsonFault::depth);
  const auto first_key = keys_.size();
  bool any = false;
  bool comma = false;
  const char* segment = scanner_.at() + 1;  // behind the brace, then at each comma
  scanner_.take('{');
  scanner_.space();
  if (scanner_.peek() != '}') {
    do {
      const auto before = mark();
      open(segment + (comma && !any ? 1 : 0));
      scanner_.space();
      if (member(node, state, mode, depth))
        any = true;
      else if (scanner_.fault() == JsonFault::none)
        take_back(before, segment);
      else
        return false;
      scanner_.space();
      segment = scanner_.at();
      comma = scanner_.take(',');
    } while (comma);
  }
  const char* const end = scanner_.at();
  if (!scanner_.take('}')) return fault(JsonFault::syntax);
  open(end);
  if (!distinct_keys(first_key)) return false;
  return any || mode == Mode::keep || node.placed;
}

bool JsonRewriter::member(const PathAutomaton::Node& node, PathAutomaton::State state, Mode mode, int depth) {
  std::string_view name;
  if (!key(name)) return false;
  const auto to = rules_->paths.member(node, name);
  if (value(to, mode, depth + 1)) return true;
  const bool nobody_decided = mode == Mode::deny && node.placed && !node.members.empty() &&
                              rules_->paths.node(to).rule == PathAutomaton::kNoRule;
  if (nobody_decided && unnamed_ != nullptr && scanner_.fault() == JsonFault::none)
    unnamed_->saw(state, text_of(keys_.back()));
  return false;
}

bool JsonRewriter::array(const PathAutomaton::Node& node, Mode mode, int depth) {
  if (depth >= JsonScanner::kDepthMax) return fault(JsonFault::depth);
  bool any = false;
  bool comma = false;
  std::uint64_t index = 0;
  const char* segment = scanner_.at() + 1;
  scanner_.take('[');
  scanner_.space();
  if (scanner_.peek() != ']') {
    do {
      const auto before = mark();
      open(segment + (comma && !any ? 1 : 0));
      scanner_.space();
      if (value(rules_->paths.element(node, index++), mode, depth + 1))
        any = true;
      else if (scanner_.fault() == JsonFault::none)
        take_back(before, segment);
      else
        return false;
      scanner_.space();
      segment = scanner_.at();
      comma = scanner_.take(',');
    } while (comma);
  }
  const char* const end = scanner_.at();
  if (!scanner_.take(']')) return fault(JsonFault::syntax);
  open(end);
  return any || mode == Mode::keep || node.placed;
}

// An action other than keep: it is for the whole value, and what is beneath is not looked at.
bool JsonRewriter::apply(std::int32_t index, int depth) {
  const auto& rule = rules_->rules[static_cast<std::size_t>(index)];
  const char* const first = scanner_.at();
  if (rule.kind == Rule::Kind::act && scanner_.peek() != '{' && scanner_.peek() != '[')
    return change_scalar(index, first);
  if (!pass(depth)) return false;
  if (rule.kind == Rule::Kind::drop) return false;
  if (rule.kind == Rule::Kind::replace) {
    close(first);
    out_ += rule.replacement;
    open(scanner_.at());
    return true;
  }
  wrong_rule_ = index;
  return fault(JsonFault::wrong_type);
}

bool JsonRewriter::change_scalar(std::int32_t index, const char* first) {
  if (scanner_.peek() == 'n') return pass_scalar();
  const auto value = read_scalar();
  if (!value) return false;
  result_.clear();
  const auto changed = rules_->rules[static_cast<std::size_t>(index)].action->apply(*value, result_);
  if (changed != Changed::wrong_type) return put(changed, first);
  wrong_rule_ = index;
  return fault(JsonFault::wrong_type);
}

bool JsonRewriter::put(Changed changed, const char* first) {
  if (changed == Changed::no) return true;
  close(first);
  if (changed == Changed::to_text)
    append_quoted(result_, out_);
  else
    out_ += result_;
  open(scanner_.at());
  return true;
}

std::optional<Scalar> JsonRewriter::read_scalar() {
  const char c = scanner_.peek();
  if (c == '"') {
    const auto text = scanner_.string();
    if (!text) return std::nullopt;
    if (!text->escaped) return Scalar{Scalar::Type::string, text->raw};
    value_text_.clear();
    unescape(text->raw, value_text_);
    return Scalar{Scalar::Type::string, value_text_};
  }
  if (c == 't' || c == 'f') {
    const std::string_view word = c == 't' ? "true" : "false";
    if (!scanner_.word(word)) return std::nullopt;
    return Scalar{Scalar::Type::boolean, word};
  }
  const auto number = scanner_.number();
  if (!number) return std::nullopt;
  return Scalar{Scalar::Type::number, *number};
}

bool JsonRewriter::pass(int depth) {
  switch (scanner_.peek()) {
    case '{': return pass_object(depth);
    case '[': return pass_array(depth);
    default: return pass_scalar();
  }
}

bool JsonRewriter::pass_scalar() {
  switch (scanner_.peek()) {
    case '"': return scanner_.string().has_value();
    case 't': return scanner_.word("true");
    case 'f': return scanner_.word("false");
    case 'n': return scanner_.word("null");
    default: return scanner_.number().has_value();
  }
}

bool JsonRewriter::pass_object(int depth) {
  if (depth >= JsonScanner::kDepthMax) return fault(JsonFault::depth);
  const auto first_key = keys_.size();
  scanner_.take('{');
  scanner_.space();
  if (scanner_.take('}')) return true;
  do {
    std::string_view name;
    scanner_.space();
    if (!key(name) || !pass(depth + 1)) return false;
    scanner_.space();
  } while (scanner_.take(','));
  if (!scanner_.take('}')) return fault(JsonFault::syntax);
  return distinct_keys(first_key);
}

bool JsonRewriter::pass_array(int depth) {
  if (depth >= JsonScanner::kDepthMax) return fault(JsonFault::depth);
  scanner_.take('[');
  scanner_.space();
  if (scanner_.take(']')) return true;
  do {
    scanner_.space();
    if (!pass(depth + 1)) return false;
    scanner_.space();
  } while (scanner_.take(','));
  return scanner_.take(']') || fault(JsonFault::syntax);
}

// A name, the colon, and the space in front of the value.
bool JsonRewriter::key(std::string_view& name) {
  const auto text = scanner_.string();
  if (!text) return false;
  keys_.push_back({0, text->raw, text->escaped});
  name = text_of(keys_.back());
  keys_.back().hash = hash_of(name);
  scanner_.space();
  if (!scanner_.take(':')) return fault(JsonFault::syntax);
  scanner_.space();
  return true;
}

// Valid until the next call.
std::string_view JsonRewriter::text_of(const Key& key) {
  if (!key.escaped) return key.raw;
  key_text_.clear();
  unescape(key.raw, key_text_);
  return key_text_;
}

bool JsonRewriter::same_key(const Key& a, const Key& b) {
  if (a.hash != b.hash) return false;
  if (!a.escaped && !b.escaped) return a.raw == b.raw;
  key_text_.clear();
  other_key_.clear();
  unescape(a.raw, key_text_);
  unescape(b.raw, other_key_);
  return key_text_ == other_key_;
}

// Of the object whose keys begin at `first`; forgets them.
bool JsonRewriter::distinct_keys(std::size_t first) {
  constexpr std::size_t kFew = 16;
  const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
  const bool few = keys_.size() - first <= kFew;
  if (!few) std::sort(begin, keys_.end(), [](const Key& a, const Key& b) { return a.hash < b.hash; });
  bool distinct = true;
  for (auto a = begin; a != keys_.end() && distinct; ++a)
    for (auto b = a + 1; b != keys_.end() && (few || b->hash == a->hash) && distinct; ++b)
      distinct = a->hash != b->hash || !same_key(*a, *b);
  keys_.resize(first);
  return distinct || fault(JsonFault::duplicate_key);
}

}  // namespace relay::policy
