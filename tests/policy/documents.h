// Generated JSON documents with markers at places that a policy covers, and a second opinion on what must leave of
// them: the same rules by a plain walk over a tree, so that it shares nothing with the rewriter but the words.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "relay/policy/json_path.h"

namespace relay::policy::test {

struct Node {
  enum class Type { scalar, object, array };
  struct Child {
    std::string before, name, raw_name, colon, value_space, after;  // bytes around; `name` unescaped
    Node* node = nullptr;
  };
  Type type = Type::scalar;
  std::string raw;   // scalar: its bytes
  std::string text;  // scalar that is a string: unescaped
  bool is_string = false, is_null = false;
  std::string inner_space;  // of an empty object or array
  std::vector<Child> children;
};

struct ModelRule {
  JsonPath path;
  enum class Kind { keep, drop, null, hide } kind;  // hide: some action on text; a container there is a wrong type
};

class Documents {
 public:
  Documents(std::uint64_t seed, std::string marker) : random_(seed), marker_(std::move(marker)) {}

  // A document for the rules of model_rules(): markers stand wherever no rule keeps a value as it is.
  Node* document();
  std::string bytes(const Node& root);

  // What leaves, with every hidden value as `"?"`; nullopt: a rejected event.
  static bool expected(const Node& root, const std::vector<ModelRule>& rules, std::string& out);

  // The same document, broken in one of the ways that must be found. True when it surely is.
  bool break_it(Node* root, std::string& bytes);

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string escaped(std::string_view text);  // one of the many ways to write it, without quotes

 private:
  Node* make(Node::Type type);
  Node* value(int depth, bool secret);
  Node* scalar(bool secret);
  Node* text(const std::string& content);
  Node* text_of(std::string raw);  // of these bytes, whatever they are
  void add(Node* object, const std::string& name, Node* child);
  std::string space();
  std::string number();
  std::string words();
  void write(const Node& node, std::string& out) const;

  std::mt19937_64 random_;
  std::string marker_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace relay::policy::test
