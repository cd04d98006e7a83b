#include "relay/policy/path_automaton.h"

#include <algorithm>
#include <map>
#include <set>

namespace relay::policy {

namespace {

// How far one path has come: so many of its steps are behind us. `found`: not by names, indexes and [*] alone.
struct Progress {
  std::size_t path;
  std::size_t steps;
  bool found;
  friend auto operator<=>(const Progress&, const Progress&) = default;
};
using Set = std::vector<Progress>;  // sorted, each once

bool of_object(const PathStep& step) {
  return step.kind == PathStep::Kind::member || step.kind == PathStep::Kind::any_member;
}

}  // namespace

// The powerset construction, over the names and indexes that the paths mention and "any other".
class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(const std::vector<JsonPath>& paths) : paths_(paths) {
    automaton_.nodes_.emplace_back();
    states_[{}] = PathAutomaton::kDead;
  }

  std::optional<PathAutomaton> build() {
    Set start;
    for (std::size_t i = 0; i < paths_.size(); ++i) start.push_back({i, 0, false});
    automaton_.root_ = paths_.empty() ? lone_root() : state_of(std::move(start));
    while (!open_.empty() && automaton_.nodes_.size() <= PathAutomaton::kStatesMax) {
      const auto [state, set] = std::move(open_.back());
      open_.pop_back();
      expand(state, set);
    }
    if (!open_.empty()) return std::nullopt;
    return std::move(automaton_);
  }

 private:
  using State = PathAutomaton::State;

  // Without any path: a document of which only its brackets leave.
  State lone_root() {
    automaton_.nodes_.emplace_back();
    automaton_.nodes_.back().live = automaton_.nodes_.back().placed = true;
    return static_cast<State>(automaton_.nodes_.size() - 1);
  }

  State state_of(Set set) {
    const auto [at, fresh] = states_.emplace(set, static_cast<State>(automaton_.nodes_.size()));
    if (fresh) {
      automaton_.nodes_.push_back(describe(set));
      open_.emplace_back(at->second, std::move(set));
    }
    return at->second;
  }

  PathAutomaton::Node describe(const Set& set) const {
    PathAutomaton::Node node;
    for (const auto& [path, steps, found] : set) {
      const auto& all = paths_[path].steps;
      node.placed |= !found;
      if (steps == all.size()) {
        const bool better = node.rule == PathAutomaton::kNoRule ||
                            compare_paths(paths_[path], paths_[static_cast<std::size_t>(node.rule)]) > 0;
        if (better) node.rule = static_cast<std::int32_t>(path);
        continue;
      }
      node.live = true;
      if (found || all[steps].deep) continue;
      (of_object(all[steps]) ? node.wants_object : node.wants_array) = true;
    }
    return node;
  }

  // Where the set is after one step down; `fits` says whether a path's next step is that one.
  template <typename Fits>
  State after(const Set& set, bool into_object, Fits fits) {
    std::set<Progress> next;
    for (const auto& [path, steps, found] : set) {
      const auto& all = paths_[path].steps;
      if (steps == all.size()) continue;
      const auto& step = all[steps];
      if (step.deep) next.insert({path, steps, true});
      if (of_object(step) == into_object && fits(step))
        next.insert({path, steps + 1, found || step.deep || step.kind == PathStep::Kind::any_member});
    }
    return state_of(Set(next.begin(), next.end()));
  }

  void expand(State state, const Set& set) {
    std::set<std::string> names;
    std::set<std::uint64_t> indexes;
    for (const auto& [path, steps, found] : set) {
      const auto& all = paths_[path].steps;
      if (steps == all.size()) continue;
      if (all[steps].kind == PathStep::Kind::member) names.insert(all[steps].name);
      if (all[steps].kind == PathStep::Kind::element) indexes.insert(all[steps].index);
    }
    // state_of() may move the nodes, so the edges are made beside them.
    std::vector<PathAutomaton::MemberEdge> members;
    for (const auto& name : names)
      members.push_back({name, after(set, true, [&](const PathStep& s) {
                           return s.kind == PathStep::Kind::any_member || s.name == name;
                         })});
    std::vector<PathAutomaton::ElementEdge> elements;
    for (const auto index : indexes)
      elements.push_back({index, after(set, false, [&](const PathStep& s) {
                            return s.kind == PathStep::Kind::any_element || s.index == index;
                          })});
    const auto other_member = after(set, true, [](const PathStep& s) { return s.kind == PathStep::Kind::any_member; });
    const auto other_element =
        after(set, false, [](const PathStep& s) { return s.kind == PathStep::Kind::any_element; });
    auto& node = automaton_.nodes_[state];
    node.members = std::move(members);
    node.elements = std::move(elements);
    node.other_member = other_member;
    node.other_element = other_element;
  }

  const std::vector<JsonPath>& paths_;
  PathAutomaton automaton_;
  std::map<Set, State> states_;
  std::vector<std::pair<State, Set>> open_;
};

std::optional<PathAutomaton> PathAutomaton::build(const std::vector<JsonPath>& paths) {
  return AutomatonBuilder(paths).build();
}

}  // namespace relay::policy
