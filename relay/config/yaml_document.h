// YAML text -> a tree of nodes with marks, aliases and merge keys resolved. What YAML allows and a configuration should
// not have (duplicate keys, several documents, tags) becomes a diagnostic. Bounded in size, depth and expansion,
// whatever the text is. yaml-cpp is used through its events, since its Node type forgets duplicate keys and marks.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "relay/config/diagnostic.h"
#include "relay/config/load.h"

namespace relay::config {

struct Node {
  enum class Kind {
    null,
    scalar,
    list,
    map,
    broken,  // has a diagnostic already; says nothing more
  };
  struct Entry {
    std::string key;
    Mark key_mark;
    const Node* value = nullptr;
  };

  Kind kind = Kind::null;
  Mark mark;
  std::string text;     // scalar
  bool quoted = false;  // scalar: written in quotes, as a block or with !!str
  std::vector<const Node*> items;
  std::vector<Entry> entries;

  const Entry* find(std::string_view key) const;
};

// Owns the nodes; they refer to each other by plain pointers, so that no chain of aliases can exhaust the stack when it
// is destroyed.
class NodePool {
 public:
  Node& make(Node::Kind kind, Mark mark) {
    nodes_.push_back(Node{kind, std::move(mark), {}, false, {}, {}});
    return nodes_.back();
  }
  std::size_t size() const { return nodes_.size(); }

 private:
  std::deque<Node> nodes_;
};

// The root of one text: a map (an empty one for an empty text), or kind broken after a diagnostic. Never null.
const Node* parse_yaml(const NamedText& text, NodePool& pool, Diagnostics& out);
// The same for a fragment of any kind, such as a field's default.
const Node* parse_yaml_fragment(const NamedText& text, NodePool& pool, Diagnostics& out);

// `over` laid on `base`: maps by key, everything else replaced.
const Node* merge_nodes(const Node* base, const Node* over, NodePool& pool, Diagnostics& out);

}  // namespace relay::config
