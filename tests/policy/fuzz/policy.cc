// libFuzzer target: the rewriter. What it lets through must be JSON, must be the same when it goes through again, and must
// hold nothing of what it leaves out.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "relay/base/json_text.h"
#include "relay/policy/json_rewriter.h"

using namespace relay::policy;

namespace {

PayloadRules rules_of(std::initializer_list<std::pair<const char*, Rule::Kind>> written) {
  std::vector<JsonPath> paths;
  PayloadRules out;
  for (const auto& [path, kind] : written) {
    paths.push_back(*JsonPath::parse(path));
    out.rules.push_back({kind, "\"-\"", nullptr});
  }
  out.paths = *PathAutomaton::build(paths);
  return out;
}

}  // namespace

// The first byte chooses the rules.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const PayloadRules kRules[] = {
      rules_of({{"$.a", Rule::Kind::keep}, {"$.b.c", Rule::Kind::replace}, {"$.d[*].e", Rule::Kind::keep}}),
      rules_of({{"$", Rule::Kind::keep}, {"$..a", Rule::Kind::drop}, {"$.b[0]", Rule::Kind::replace}}),
      rules_of({{"$..a", Rule::Kind::keep}, {"$.*.b", Rule::Kind::replace}, {"$..a.c", Rule::Kind::drop}}),
      rules_of({{"$[*]", Rule::Kind::keep}, {"$[1].x", Rule::Kind::drop}})};
  static JsonRewriter rewriter;
  if (size == 0) return 0;
  const auto& rules = kRules[data[0] % std::size(kRules)];
  const std::string json(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto once = rewriter.rewrite(json, rules, nullptr);
  if (once.fault != JsonFault::none) return 0;
  if (!relay::is_json(json) || !relay::is_json(once.json)) std::abort();
  const std::string left(once.json);
  // Elements that were removed make room for others, so only rules without indexes settle at once.
  const auto again = rewriter.rewrite(left, rules, nullptr);
  if (data[0] % std::size(kRules) == 2 && (again.fault != JsonFault::none || again.json != left)) std::abort();
  return 0;
}
