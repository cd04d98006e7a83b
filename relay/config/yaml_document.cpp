#include "relay/config/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <unordered_map>

#include "relay/config/yaml_syntax.h"

namespace relay::config {
namespace {

constexpr std::size_t kNodesMax = 100'000;
constexpr std::size_t kMergedEntriesMax = 100'000;
constexpr int kMergeDepthMax = 100;

// Thrown through yaml-cpp to stop it; the diagnostic is written already.
struct TooLarge {};

// Builds the tree from yaml-cpp's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const TextPlaces& places, NodePool& pool, Diagnostics& out) : places_(places), pool_(pool), out_(out) {}

  const Node* root() const { return root_; }
  const Mark& start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = place(mark); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(Node::Kind::null, mark, anchor); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const auto kind = tag_allowed(tag, mark) ? Node::Kind::scalar : Node::Kind::broken;
    Node& node = make(kind, mark, anchor);
    node.text = value;
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    attach(node);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found != anchors_.end() && !is_open(found->second)) return attach(*found->second, place(mark));
    report(place(mark), "an alias that refers to what it is part of", "write the value out here");
    leaf(Node::Kind::broken, mark, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    tag_allowed(tag, mark);
    open_.push_back({&make(Node::Kind::list, mark, anchor), {}, {}, {}, {}});
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    tag_allowed(tag, mark);
    open_.push_back({&make(Node::Kind::map, mark, anchor), {}, {}, {}, {}});
  }
  void OnMapEnd() override {
    auto& frame = open_.back();
    for (const auto& [merged, mark] : frame.merges) merge_into(frame, *merged, mark);
    close();
  }

 private:
  struct Frame {
    Node* node;
    const Node* key;  // map: set between a key and its value
    Mark key_mark;
    std::unordered_map<std::string, std::size_t> places;  // map: key -> index into node->entries
    std::vector<std::pair<const Node*, Mark>> merges;     // map: values of <<
  };

  Mark place(const YAML::Mark& mark) const { return places_.mark(mark.line, mark.column); }

  void report(Mark mark, std::string message, std::string hint) {
    out_.push_back({std::move(mark), "", std::move(message), std::move(hint), false});
  }

  bool tag_allowed(const std::string& tag, const YAML::Mark& mark) {
    static constexpr std::string_view kStandard = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!" || tag.compare(0, kStandard.size(), kStandard) == 0) return true;
    report(place(mark), "the tag " + tag + " means nothing here",
           "remove it; ${VAR} takes a value from the environment");
    return false;
  }

  Node& make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (pool_.size() >= kNodesMax) {
      report(place(mark), "more than " + std::to_string(kNodesMax) + " values",
             "this is no configuration of this program");
      throw TooLarge{};
    }
    Node& node = pool_.make(kind, place(mark));
    if (anchor != 0) anchors_[anchor] = &node;
    return node;
  }

  void leaf(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) { attach(make(kind, mark, anchor)); }

  bool is_open(const Node* node) const {
    for (const auto& frame : open_)
      if (frame.node == node) return true;
    return false;
  }

  void close() {
    const Node* node = open_.back().node;
    open_.pop_back();
    attach(*node);
  }

  void attach(const Node& node) { attach(node, node.mark); }
  void attach(const Node& node, const Mark& where) {
    if (open_.empty()) {
      root_ = &node;
      return;
    }
    auto& frame = open_.back();
    if (frame.node->kind == Node::Kind::list) {
      frame.node->items.push_back(&node);
    } else if (frame.key == nullptr) {
      frame.key = &node;
      frame.key_mark = where;
    } else {
      const Node* key = frame.key;
      frame.key = nullptr;
      add_entry(frame, *key, node);
    }
  }

  void add_entry(Frame& frame, const Node& key, const Node& value) {
    if (key.kind == Node::Kind::broken) return;
    if (key.kind != Node::Kind::scalar)
      return report(frame.key_mark, "a key must be plain text", "write name: value, one per line");
    if (key.text == "<<" && !key.quoted) return add_merge(frame, value);
    const auto [at, fresh] = frame.places.emplace(key.text, frame.node->entries.size());
    if (fresh) {
      frame.node->entries.push_back({key.text, frame.key_mark, &value});
      return;
    }
    const auto& first = frame.node->entries[at->second].key_mark;
    report(frame.key_mark, "the key " + key.text + " is here twice",
           "it was first written at line " + std::to_string(first.line) + "; keep one of them");
  }

  void add_merge(Frame& frame, const Node& value) {
    const auto refuse = [&] {
      report(frame.key_mark, "<< must be followed by an alias of a map, or a list of such", "write <<: *name");
    };
    if (value.kind == Node::Kind::map) {
      frame.merges.emplace_back(&value, frame.key_mark);
    } else if (value.kind == Node::Kind::list) {
      for (const auto* item : value.items)
        item->kind == Node::Kind::map ? void(frame.merges.emplace_back(item, frame.key_mark)) : refuse();
    } else if (value.kind != Node::Kind::broken) {
      refuse();
    }
  }

  // Keys written beside << win over merged ones, and earlier merged maps over later ones.
  void merge_into(Frame& frame, const Node& from, const Mark& mark) {
    merged_entries_ += from.entries.size();
    if (merged_entries_ > kMergedEntriesMax) {
      report(mark, "merge keys copy more than " + std::to_string(kMergedEntriesMax) + " entries", "use fewer of them");
      throw TooLarge{};
    }
    for (const auto& entry : from.entries)
      if (frame.places.emplace(entry.key, frame.node->entries.size()).second) frame.node->entries.push_back(entry);
  }

  const TextPlaces& places_;
  NodePool& pool_;
  Diagnostics& out_;
  std::vector<Frame> open_;
  std::unordered_map<YAML::anchor_t, Node*> anchors_;
  std::size_t merged_entries_ = 0;
  const Node* root_ = nullptr;
  Mark start_;
};

const Node* parse_documents(std::string_view text, const TextPlaces& places, NodePool& pool, Diagnostics& out) {
  // yaml-cpp 0.7 takes the end of the text for the closing quote when a line ends there; it does not take an end of
  // document for one.
  std::istringstream stream{std::string(text) + "\n...\n"};
  YAML::Parser parser(stream);
  Builder builder(places, pool, out);
  if (!parser.HandleNextDocument(builder) || builder.root() == nullptr)
    return &pool.make(Node::Kind::null, places.mark(0, 0));
  Builder next(places, pool, out);
  if (parser.HandleNextDocument(next))
    out.push_back(
        {next.start(), "", "a second YAML document begins here", "use one file per document and several -c", false});
  return builder.root();
}

// Aliases may make maps deep, and the same map appear many times; both are bounded here.
const Node* merge_at_depth(const Node* base, const Node* over, NodePool& pool, Diagnostics& out, int depth) {
  if (base->kind == Node::Kind::broken) return base;
  if (base->kind != Node::Kind::map || over->kind != Node::Kind::map) return over;
  if (pool.size() >= 3 * kNodesMax || depth > kMergeDepthMax) {
    out.push_back({over->mark, "", "the merged files have too many values", "use fewer aliases", false});
    return &pool.make(Node::Kind::broken, over->mark);
  }
  Node& merged = pool.make(Node::Kind::map, base->mark);
  for (const auto& entry : base->entries) {
    const auto* replaced = over->find(entry.key);
    if (replaced == nullptr) {
      merged.entries.push_back(entry);
      continue;
    }
    const Node* value = merge_at_depth(entry.value, replaced->value, pool, out, depth + 1);
    merged.entries.push_back({entry.key, replaced->key_mark, value});
    if (value->kind == Node::Kind::broken) return value;
  }
  for (const auto& entry : over->entries)
    if (base->find(entry.key) == nullptr) merged.entries.push_back(entry);
  return &merged;
}

}  // namespace

const Node::Entry* Node::find(std::string_view key) const {
  for (const auto& entry : entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

const Node* parse_yaml_fragment(const NamedText& named, NodePool& pool, Diagnostics& out) {
  std::string_view text = named.text;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  const TextPlaces places(named.file, text);
  if (auto problem = unreadable_text(places)) {
    out.push_back(std::move(*problem));
    return &pool.make(Node::Kind::broken, places.mark(0, 0));
  }
  try {
    return parse_documents(text, places, pool, out);
  } catch (const TooLarge&) {
  } catch (const YAML::Exception& e) {
    out.push_back(
        syntax_diagnostic(places, e.mark.is_null() ? 0 : e.mark.line, e.mark.is_null() ? 0 : e.mark.column, e.msg));
  } catch (const std::exception& e) {
    out.push_back(syntax_diagnostic(places, 0, 0, e.what()));
  }
  return &pool.make(Node::Kind::broken, places.mark(0, 0));
}

const Node* parse_yaml(const NamedText& text, NodePool& pool, Diagnostics& out) {
  const Node* root = parse_yaml_fragment(text, pool, out);
  if (root->kind == Node::Kind::map || root->kind == Node::Kind::broken) return root;
  if (root->kind == Node::Kind::null) return &pool.make(Node::Kind::map, Mark{text.file, 1, 1});
  out.push_back(
      {root->mark, "", "a configuration is a map of fields, such as `pipelines:`", "see `config example`", false});
  return &pool.make(Node::Kind::broken, root->mark);
}

const Node* merge_nodes(const Node* base, const Node* over, NodePool& pool, Diagnostics& out) {
  return merge_at_depth(base, over, pool, out, 0);
}

}  // namespace relay::config
