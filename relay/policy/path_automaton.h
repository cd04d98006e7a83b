// All paths of one block as one automaton: while a document is walked there is one state per container, and one look-up
// per member, however many rules there are. Built once, immutable. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/policy/json_path.h"

namespace relay::policy {

class PathAutomaton {
 public:
  using State = std::uint32_t;
  static constexpr State kDead = 0;  // no rule is here, and none can be beneath
  static constexpr std::int32_t kNoRule = -1;
  static constexpr std::size_t kStatesMax = 5'000;

  struct MemberEdge {
    std::string name;
    State to = kDead;
  };
  struct ElementEdge {
    std::uint64_t index = 0;
    State to = kDead;
  };
  struct Node {
    std::int32_t rule = kNoRule;  // index into the paths: the most specific that matches the value itself
    bool live = false;            // a rule may match beneath
    bool placed = false;          // names, indexes and [*] alone lead here: its being there is no secret
    bool wants_object = false;    // rules name members of it, so that another type is a wrong one ...
    bool wants_array = false;     // ... the same of elements
    std::vector<MemberEdge> members;
    State other_member = kDead;
    std::vector<ElementEdge> elements;
    State other_element = kDead;
  };

  // nullopt: the paths have too many combinations (several `..`).
  static std::optional<PathAutomaton> build(const std::vector<JsonPath>& paths);

  State root() const { return root_; }
  const Node& node(State state) const { return nodes_[state]; }

  State member(const Node& node, std::string_view name) const {
    for (const auto& edge : node.members)
      if (edge.name == name) return edge.to;
    return node.other_member;
  }
  State element(const Node& node, std::uint64_t index) const {
    for (const auto& edge : node.elements)
      if (edge.index == index) return edge.to;
    return node.other_element;
  }

 private:
  friend class AutomatonBuilder;
  std::vector<Node> nodes_;
  State root_ = kDead;
};

}  // namespace relay::policy
