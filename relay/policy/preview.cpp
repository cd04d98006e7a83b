#include "relay/policy/preview.h"

#include <algorithm>

#include "relay/base/json_text.h"
#include "relay/policy/code_points.h"

namespace relay::policy {
namespace {

constexpr const char* kStays = "\x1b[32m";
constexpr const char* kChanges = "\x1b[33m";
constexpr const char* kGoes = "\x1b[31m";
constexpr const char* kHead = "\x1b[1m";
constexpr const char* kPlain = "\x1b[0m";

struct Line {
  std::string name, before, after, why;
  bool leaves = false;
};

// Escapes, so that no value can move the cursor.
std::string shown(std::string_view text) {
  if (text.data() == nullptr) return "NULL";
  std::string out;
  if (is_utf8(text))
    append_quoted(text, out);
  else
    append_base64(text, out);
  return out;
}

std::string fitted(const std::string& text, std::size_t width) {
  const auto count = count_characters(text);
  if (count <= width) return text + std::string(width - count, ' ');
  return text.substr(0, bytes_of_characters(text, width - 3)) + "...";
}

std::string why_of(const RuleText* rule, const std::string& rule_name, const std::string& name) {
  if (rule == nullptr) return "no rule";
  std::string out(to_string(rule->action));
  if (!rule->key.empty()) out += " " + rule->key;
  if (rule_name != name) out += " (" + rule_name + ")";
  return out;
}

class Comparison {
 public:
  Comparison(const PolicyText& policy, const Event& after) : after_(after), before_(*after.unscrubbed) {
    block_ = block_for(policy, before_);
  }

  std::vector<Line> lines() {
    text("id", before_.id, after_.id, &BlockText::id);
    text("key", before_.aggregate_id, after_.aggregate_id, &BlockText::key);
    for (const auto& header : before_.headers) header_line(header);
    for (const auto& header : after_.headers)
      if (find(before_.headers, header.name) == nullptr)
        lines_.push_back({"header " + std::string(header.name), "", shown(header.value), "class", true});
    payload();
    return std::move(lines_);
  }

 private:
  static const Header* find(std::span<const Header> headers, std::string_view name) {
    for (const auto& header : headers)
      if (header.name == name) return &header;
    return nullptr;
  }

  void text(const std::string& name, std::string_view before, std::string_view after,
            std::optional<RuleText> BlockText::*member) {
    const RuleText* rule = block_ != nullptr && block_->*member ? &*(block_->*member) : nullptr;
    const bool leaves = after.data() != nullptr && !after_.left_out();
    const auto why = rule == nullptr && leaves ? "keep (by default)" : why_of(rule, name, name);
    lines_.push_back({name, shown(before), leaves ? shown(after) : "", why, leaves});
  }

  void header_line(const Header& header) {
    const RuleText* rule = nullptr;
    if (block_ != nullptr)
      for (const auto& named : block_->headers)
        if (named.name == header.name) rule = &named.rule;
    const auto* const left = find(after_.headers, header.name);
    const auto name = "header " + std::string(header.name);
    lines_.push_back({name, shown(header.value), left != nullptr ? shown(left->value) : "", why_of(rule, name, name),
                      left != nullptr});
  }

  void payload() {
    if (before_.is_tombstone()) return;
    const auto before = leaves_of(before_.payload);
    if (!before) {
      lines_.push_back({"payload", "(no JSON, " + std::to_string(before_.payload.size()) + " bytes)", "", "",
                        !after_.is_tombstone()});
      return;
    }
    auto after = after_.is_tombstone() ? std::vector<Leaf>{} : leaves_of(after_.payload).value_or(std::vector<Leaf>{});
    std::optional<Decider> decider;
    if (block_ != nullptr) decider.emplace(*block_);
    for (const auto& leaf : *before) {
      const auto* const rule = decider ? decider->rule_for(leaf.path) : nullptr;
      const auto at = std::find_if(after.begin(), after.end(), [&](const Leaf& l) { return l.path == leaf.path; });
      const auto name = leaf.path.text();
      const auto rule_path = rule != nullptr ? rule->path.text() : "";
      lines_.push_back({name, leaf.raw, at != after.end() ? at->raw : "",
                        why_of(rule != nullptr ? &rule->rule : nullptr, rule_path, name), at != after.end()});
    }
  }

  const Event& after_;
  const Event& before_;
  const BlockText* block_ = nullptr;
  std::vector<Line> lines_;
};

std::string verdict(const Event& event) {
  switch (event.disposition) {
    case Disposition::blocked: return "blocked: no block of the policy is for it";
    case Disposition::reject:
      return "rejected (" + std::string(event.reject_code) + "): " + std::string(event.reject_reason);
    default: return "leaves";
  }
}

}  // namespace

std::string preview(const PolicyText& policy, const Event& after, const PreviewStyle& style) {
  const auto lines = Comparison(policy, after).lines();
  const auto colour = [&](const char* code) { return style.colour ? code : ""; };
  std::size_t name_width = 8;
  for (const auto& line : lines)
    name_width = std::min<std::size_t>(36, std::max(name_width, count_characters(line.name)));
  const auto rest = style.width > name_width + 60 ? style.width - name_width - 26 : std::size_t{34};
  const auto column = rest / 2;
  std::string out =
      std::string(colour(kHead)) + kind_of(*after.unscrubbed) + colour(kPlain) + "  " + verdict(after) + "\n";
  for (const auto& line : lines) {
    const bool same = line.leaves && line.before == line.after;
    out += "  " + fitted(line.name, name_width) + "  " + fitted(line.before, column) + "  ";
    out += colour(!line.leaves ? kGoes : same ? kStays : kChanges);
    out += fitted(!line.leaves ? "-" : line.after, column) + colour(kPlain) + "  " + line.why + "\n";
  }
  return out;
}

}  // namespace relay::policy
