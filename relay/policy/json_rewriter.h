// One pass over the bytes of a JSON document: what rules keep is copied as it stands, what they change is put in its
// place, and everything else is left out. The document is checked strictly on the way; with any fault nothing leaves.
//
// Which rule counts for a value: the most specific one whose path matches it (json_path.h). `keep` lets the value and
// all beneath it leave, except where a rule of its own matches something beneath. Every other action is for the whole
// value. A value that no rule matches shares the fate of the array or object it is in; the document itself is denied.
//
// Denied members and elements are removed with their comma. An object or array on the way to something that a rule
// names stays, if need be empty; one that is only searched (`..`, `.*`) is removed when nothing of it leaves.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/policy/action.h"
#include "relay/policy/json_scanner.h"
#include "relay/policy/path_automaton.h"

namespace relay::policy {

struct Rule {
  enum class Kind : std::uint8_t { keep, drop, replace, act };
  Kind kind = Kind::drop;
  std::string replacement;         // replace: JSON text
  std::unique_ptr<Action> action;  // act
};

// The rules of one block for payloads. `rules` in the order of the paths that the automaton was built from.
struct PayloadRules {
  PathAutomaton paths;
  std::vector<Rule> rules;
};

// Told of each member that is left out although the rules name others beside it: a field that nobody has decided about.
class UnnamedMembers {
 public:
  virtual ~UnnamedMembers() = default;
  virtual void saw(PathAutomaton::State object, std::string_view name) = 0;
};

// Keeps its buffers, so that a steady stream allocates nothing. Not thread-safe.
class JsonRewriter {
 public:
  struct Outcome {
    JsonFault fault = JsonFault::none;
    std::int32_t rule = PathAutomaton::kNoRule;  // wrong_type: of which rule, if it was one's action
    // Without a fault: what leaves; the whole input when nothing changed, else valid until the next call.
    std::string_view json;
  };

  Outcome rewrite(std::string_view json, const PayloadRules& rules, UnnamedMembers* unnamed);

 private:
  enum class Mode : std::uint8_t { keep, deny };
  struct Key {
    std::uint64_t hash;
    std::string_view raw;
    bool escaped;
  };
  struct Mark {
    std::size_t out;
    const char* run;
  };

  // What is copied unchanged is copied in runs: a run begins at open() and ends at close().
  void open(const char* at) {
    if (run_ == nullptr) run_ = at;
  }
  void close(const char* at) {
    if (run_ != nullptr) out_.append(run_, at);
    run_ = nullptr;
  }
  Mark mark() const { return {out_.size(), run_}; }
  void take_back(const Mark& mark, const char* at);

  // Each: false when nothing of the value leaves (its run is then to be taken back), or after a fault.
  bool value(PathAutomaton::State state, Mode mode, int depth);
  bool object(const PathAutomaton::Node& node, PathAutomaton::State state, Mode mode, int depth);
  bool array(const PathAutomaton::Node& node, Mode mode, int depth);
  bool member(const PathAutomaton::Node& node, PathAutomaton::State state, Mode mode, int depth);
  bool scalar(const PathAutomaton::Node& node, Mode mode);
  bool apply(std::int32_t index, int depth);
  bool change_scalar(std::int32_t index, const char* first);
  bool put(Changed changed, const char* first);

  // Checks and passes over a value that rules do not look into.
  bool pass(int depth);
  bool pass_object(int depth);
  bool pass_array(int depth);
  bool pass_scalar();

  std::optional<Scalar> read_scalar();
  bool key(std::string_view& name);
  std::string_view text_of(const Key& key);
  bool distinct_keys(std::size_t first);
  bool same_key(const Key& a, const Key& b);
  bool fault(JsonFault fault) { return scanner_.fail(fault); }

  JsonScanner scanner_{{}};
  const PayloadRules* rules_ = nullptr;
  UnnamedMembers* unnamed_ = nullptr;
  std::int32_t wrong_rule_ = PathAutomaton::kNoRule;
  const char* run_ = nullptr;
  std::string out_;
  std::string key_text_, other_key_, value_text_, result_;
  std::vector<Key> keys_;  // of all objects that are open, the innermost last
};

}  // namespace relay::policy
