// Generated documents: nothing of what the rules cover leaves, in no encoding and nowhere; and everything else leaves
// exactly as a second, simple implementation says. RELAY_SEED repeats a run, RELAY_POLICY_DOCUMENTS sets how many.
#include <cstdlib>

#include "documents.h"
#include "policy_rig.h"
#include "relay/base/json_text.h"
#include "relay/policy/json_scanner.h"

using namespace relay;
using namespace relay::policy;
using namespace relay::policy::test;

namespace {

using Kind = ModelRule::Kind;

struct WrittenRule {
  const char* path;
  const char* rule;
  Kind kind;
};

const std::vector<WrittenRule> kRules{{"$.id", "keep", Kind::keep},
                                      {"$.customer.email", "{action: email, key: k1}", Kind::hide},
                                      {"$.customer.name", "{action: hash, key: k1}", Kind::hide},
                                      {"$.customer.address", "null", Kind::null},
                                      {"$.profile", "keep", Kind::keep},
                                      {"$.profile.token", "{action: encrypt, key: k2}", Kind::hide},
                                      {"$.items[*].sku", "keep", Kind::keep},
                                      {"$.items[*].note", "detect", Kind::hide},
                                      {"$.born", "{action: generalise, to: year}", Kind::hide},
                                      {"$.short", "{action: truncate, length: 4}", Kind::hide},
                                      {"$.gone", "drop", Kind::drop},
                                      {"$.settings.*", "null", Kind::null},
                                      {"$.settings.theme", "keep", Kind::keep},
                                      {"$.profile.ssn", "drop", Kind::drop}};

// Twice: also with a search, under which no part of a document is out of reach of the rules.
std::vector<WrittenRule> rules_with(bool search) {
  auto out = kRules;
  if (search) out.back() = {"$..ssn", "drop", Kind::drop};
  return out;
}

std::string yaml_rules(bool search) {
  std::string out;
  for (const auto& r : rules_with(search))
    out += std::string(out.empty() ? "" : "\n") + r.path + ": " + r.rule;
  return out;
}

std::vector<ModelRule> model_rules(bool search) {
  std::vector<ModelRule> out;
  for (const auto& r : rules_with(search)) out.push_back({*JsonPath::parse(r.path), r.kind});
  return out;
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// All that could be read from these bytes: as they are, and with every escape undone, also broken ones.
bool shows(std::string_view bytes, const std::string& marker) {
  if (bytes.find(marker) != std::string_view::npos) return true;
  std::string undone;
  for (std::size_t i = 0; i < bytes.size();) {
    const auto slash = bytes.find('\\', i);
    undone += bytes.substr(i, slash - i);
    if (slash == std::string_view::npos) break;
    std::size_t length = 2;
    while (bytes.substr(slash + length - 2, 2) == "\\u" && bytes.size() >= slash + length + 4) {
      length += 4;
      if (bytes.substr(slash + length, 2) != "\\u") break;
      length += 2;
    }
    const auto part = bytes.substr(slash, std::min(length, bytes.size() - slash));
    const std::string quoted = '"' + std::string(part) + '"';
    JsonScanner again(quoted);
    if (const auto text = again.string(); text && again.at_end())
      unescape(text->raw, undone);
    else
      undone += part;
    i = slash + part.size();
  }
  return undone.find(marker) != std::string::npos;
}

// What is hidden becomes "?" as in the model: each hidden value is a token, a masked or a shortened text.
bool same_but_hidden(std::string_view actual, std::string_view expected) {
  std::size_t i = 0, j = 0;
  while (j < expected.size()) {
    if (expected.substr(j, 3) == "\"?\"") {
      if (i >= actual.size() || actual[i] != '"') return false;
      for (++i; i < actual.size() && actual[i] != '"'; ++i)
        if (actual[i] == '\\') ++i;
      ++i;
      j += 3;
      continue;
    }
    if (i >= actual.size() || actual[i] != expected[j]) return false;
    ++i;
    ++j;
  }
  return i == actual.size();
}

struct Trial {
  Trial(std::uint64_t seed, bool search)
      : documents(seed, marker), rig(policy_of(yaml_rules(search))), rules(model_rules(search)) {}

  const Event& run(const std::string& payload) {
    auto& event = rig.event(payload);
    headers[0] = {"secret", marker};
    event.headers = headers;
    return rig.apply();
  }
  bool leaks(const Event& event) const {
    for (const auto text : {event.id, event.aggregate_id, event.aggregate_type, event.event_type, event.payload,
                            event.source_table, event.reject_code, event.reject_reason})
      if (text.data() != nullptr && shows(text, marker)) return true;
    for (const auto& header : event.headers)
      if (shows(header.name, marker) || (header.value.data() != nullptr && shows(header.value, marker))) return true;
    return shows(rig.log->text, marker);
  }

  const std::string marker = "Zq\xF0\x9D\x84\x9E" "7\xC3\x9F" "k";
  Documents documents;
  Rig rig;
  std::vector<ModelRule> rules;
  Header headers[1];
};

}  // namespace

TEST_CASE("the search for markers finds them in every encoding") {
  const std::string marker = "Zq\xF0\x9D\x84\x9Ex";
  Documents documents(1, marker);
  for (int i = 0; i < 2000; ++i) CHECK(shows("a" + documents.escaped("\\" + marker + "\n") + "b", marker));
  CHECK(shows(R"(\u005a\u0071\ud834\udd1ex)", marker));
  CHECK(!shows(R"(\u005a\u0071\ud834x)", marker));
}

TEST_CASE("nothing that the rules cover leaves, and all else leaves as it was") {
  const auto seed = number_from("RELAY_SEED", std::random_device{}());
  const auto count = number_from("RELAY_POLICY_DOCUMENTS", 20'000) / 2;
  INFO("repeat with RELAY_SEED=" << seed);
  bool search = false;
  SUBCASE("with names only") {}
  SUBCASE("with a search") { search = true; }
  Trial trial(seed, search);
  std::uint64_t delivered = 0, rejected = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto* const root = trial.documents.document();
    const auto bytes = trial.documents.bytes(*root);
    std::string expected;
    const bool leaves = Documents::expected(*root, trial.rules, expected);
    const auto& event = trial.run(bytes);
    if (trial.leaks(event)) FAIL("document " << i << " leaks: " << bytes << "\nleaves: " << event.payload);
    if ((event.disposition == Disposition::deliver) != leaves)
      FAIL("document " << i << ": " << bytes << "\n" << event.reject_code << "\nexpected: " << expected);
    leaves ? ++delivered : ++rejected;
    if (!leaves) continue;
    const auto first = bytes.find('{'), last = bytes.rfind('}');
    expected = bytes.substr(0, first) + expected + bytes.substr(last + 1);
    if (!is_json(event.payload) || !same_but_hidden(event.payload, expected))
      FAIL("document " << i << ": " << bytes << "\nleaves:   " << event.payload << "\nexpected: " << expected);
  }
  CHECK(delivered > count / 2);
  MESSAGE(delivered << " documents left, " << rejected << " were rejected; RELAY_SEED=" << seed);
}

TEST_CASE("a broken document is rejected, and nothing of it leaves") {
  const auto seed = number_from("RELAY_SEED", std::random_device{}());
  const auto count = number_from("RELAY_POLICY_DOCUMENTS", 20'000) / 4;
  INFO("repeat with RELAY_SEED=" << seed);
  Trial trial(seed, true);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto* const root = trial.documents.document();
    auto bytes = trial.documents.bytes(*root);
    if (!trial.documents.break_it(root, bytes)) continue;
    const auto& event = trial.run(bytes);
    if (event.disposition != Disposition::reject || trial.leaks(event) || event.payload.data() != nullptr)
      FAIL("document " << i << ": " << bytes << "\n" << event.payload);
  }
}
