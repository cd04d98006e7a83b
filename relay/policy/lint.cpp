#include "relay/policy/lint.h"

#include <algorithm>

namespace relay::policy {
namespace {

bool uses_key(const RuleText& rule) { return !rule.key.empty(); }

bool covers(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::all_of(narrow.begin(), narrow.end(), [&](const std::string& value) {
    return std::find(wide.begin(), wide.end(), value) != wide.end();
  });
}

class Linter {
 public:
  Linter(const PolicyText& policy, const Survey* sample) : policy_(policy), sample_(sample) {}

  std::vector<LintFinding> run() {
    for (std::size_t i = 0; i < policy_.blocks.size(); ++i) {
      block_ = "events[" + std::to_string(i) + "]";
      check_block(policy_.blocks[i], i);
    }
    check_keys();
    if (sample_ != nullptr)
      for (const auto& kind : sample_->kinds)
        if (kind.block != nullptr) check_kind(kind);
    return std::move(out_);
  }

 private:
  void add(const config::Mark& mark, std::string code, std::string subject, std::string message, std::string hint) {
    const auto same = [&](const LintFinding& f) { return f.code == code && f.subject == subject; };
    if (std::any_of(out_.begin(), out_.end(), same)) return;
    out_.push_back({mark, std::move(code), std::move(subject), std::move(message), std::move(hint)});
  }

  void check_block(const BlockText& block, std::size_t index) {
    for (std::size_t i = 0; i < index; ++i) {
      const auto& before = policy_.blocks[i];
      if (covers(before.aggregate_types, block.aggregate_types) && covers(before.event_types, block.event_types) &&
          covers(before.tables, block.tables))
        return add(block.mark, "block_shadowed", block_,
                   "no event comes here: events[" + std::to_string(i) + "] matches all of them",
                   "put the narrower block first");
    }
    const Decider decider(block);
    for (const auto& rule : block.payload) check_rule(block, decider, rule);
    if (sample_ == nullptr || sample_->events == 0) return;
    const bool met =
        std::any_of(sample_->kinds.begin(), sample_->kinds.end(), [&](const KindSeen& k) { return k.block == &block; });
    if (!met)
      add(block.mark, "block_never_matched", block_, "no event of the sample matches",
          "look at `match`; a larger sample: --rows");
  }

  void check_rule(const BlockText& block, const Decider& decider, const PathRule& rule) {
    const auto subject = block_ + ".payload." + rule.path.text();
    const auto* const winner = decider.rule_for(rule.path);
    if (winner != nullptr && winner != &rule)
      return add(rule.rule.mark, "rule_shadowed", subject,
                 "it never counts: " + winner->path.text() + " (" + std::string(to_string(winner->rule.action)) +
                     ") decides before it",
                 "remove one of the two");
    if (sample_ == nullptr || sample_->used.count(&rule) != 0) return;
    const bool met =
        std::any_of(sample_->kinds.begin(), sample_->kinds.end(), [&](const KindSeen& k) { return k.block == &block; });
    if (met)
      add(rule.rule.mark, "rule_never_matched", subject, "no value of the sample is there",
          "look at the path; a larger sample: --rows");
  }

  void check_keys() {
    for (const auto& key : policy_.keys) {
      bool used = false;
      for (const auto& block : policy_.blocks) {
        for (const auto* rule : {&block.id, &block.key, &block.aggregate_type, &block.event_type})
          used |= *rule && (*rule)->key == key.id;
        for (const auto& header : block.headers) used |= header.rule.key == key.id;
        for (const auto& path : block.payload) used |= path.rule.key == key.id;
      }
      if (!used)
        add({policy_.file, 0, 0}, "key_unused", "keys." + key.id, "no rule uses it",
            "remove it, unless what it encrypted must still be read");
    }
  }

  // A field of so few values that how often each occurs tells which is which.
  void check_kind(const KindSeen& kind) {
    constexpr std::uint64_t kEnough = 100;
    constexpr std::size_t kFew = 20;
    for (const auto& field : kind.fields) {
      const auto values = field.count - field.nulls;
      const auto subject = kind.name + ": " + field.name;
      const auto mark = field.rule != nullptr ? field.rule->mark : kind.block->mark;
      if (field.rule != nullptr && uses_key(*field.rule) && values >= kEnough && field.distinct.size() <= kFew)
        add(mark, "low_entropy", subject,
            std::to_string(field.distinct.size()) + " different values in " + std::to_string(values) +
                ": the same value has the same " + std::string(to_string(field.rule->action)) +
                ", and how often each occurs can tell which is which",
            "drop it, or generalise it");
      const bool as_it_is = field.leaves && (field.rule == nullptr || field.rule->action == ActionKind::keep);
      for (const auto& [detector, count] : field.hits)
        if (as_it_is)
          add(mark, "detected_in_kept", subject,
              std::to_string(count) + " of " + std::to_string(values) + " values hold something like: " + detector,
              "use detect, hash or drop for it, if that is not meant to leave");
    }
  }

  const PolicyText& policy_;
  const Survey* sample_;
  std::string block_;
  std::vector<LintFinding> out_;
};

}  // namespace

std::vector<LintFinding> lint(const PolicyText& policy, const Survey* sample) { return Linter(policy, sample).run(); }

}  // namespace relay::policy
