// The rewriter through a whole policy: which bytes leave.
#include "relay/policy/json_rewriter.h"

#include "policy_rig.h"

using namespace relay;
using namespace relay::policy::test;

TEST_CASE("what no rule names does not leave, and what is kept keeps its bytes") {
  CHECK(scrubbed("$.a: keep", R"({"a":1,"b":2,"c":3})") == R"({"a":1})");
  CHECK(scrubbed("$.b: keep", R"({"a":1,"b":2,"c":3})") == R"({"b":2})");
  CHECK(scrubbed("$.c: keep", R"({"a":1,"b":2,"c":3})") == R"({"c":3})");
  CHECK(scrubbed("$.a: keep\n$.c: keep", R"({"a":1,"b":2,"c":3})") == R"({"a":1,"c":3})");
  CHECK(scrubbed("$.a: keep", R"({ "a" : 1.50e+01 , "b" : 2 })") == R"({ "a" : 1.50e+01 })");
  CHECK(scrubbed("$.b: keep", R"({ "a" : 1 , "b" : 2 })") == R"({ "b" : 2 })");
  CHECK(scrubbed("$: keep\n$.x: drop", "{\n  \"z\": 00e0,\n}") == "policy_payload_not_json");
  CHECK(scrubbed("$: keep\n$.x: drop", "\n{\"t\":\"\\u0041\\/\", \"n\":-0.0}\n") ==
        "\n{\"t\":\"\\u0041\\/\", \"n\":-0.0}\n");
  CHECK(scrubbed("", R"({"a":1})") == "{}");
  CHECK(scrubbed("", "[1,2]") == "[]");
  CHECK(scrubbed("$.a: keep", "{}") == "{}");
}

TEST_CASE("a name is the same however it is escaped") {
  CHECK(scrubbed("$.email: drop\n$: keep", R"({"\u0065mail":"x","a":1})") == R"({"a":1})");
  CHECK(scrubbed("$.email: keep", R"({"em\u0061il":"x","a":1})") == R"({"em\u0061il":"x"})");
  CHECK(scrubbed("$['a/b']: keep", R"({"a\/b":1,"c":2})") == R"({"a\/b":1})");
  CHECK(scrubbed("$.𝄞: keep", R"({"\ud834\udd1e":1,"c":2})") == R"({"\ud834\udd1e":1})");
}

TEST_CASE("keep lets everything beneath leave, but for what a rule of its own is for") {
  const char* document = R"({"customer":{"email":"a@b.c","name":"x","ssn":"1","deep":{"ssn":"2","k":3}},"x":1})";
  CHECK(scrubbed("$.customer: keep\n$.customer.email: \"null\"\n$..ssn: drop", document) ==
        R"({"customer":{"email":null,"name":"x","deep":{"k":3}}})");
  CHECK(scrubbed("$: keep\n$.customer: drop", document) == R"({"x":1})");
  CHECK(scrubbed("$: keep\n$.customer: drop\n$.customer.name: keep", document) == R"({"x":1})");
  CHECK(scrubbed("$..ssn: drop\n$: keep\n$.customer.deep.ssn: keep", R"({"customer":{"ssn":1,"deep":{"ssn":2}}})") ==
        R"({"customer":{"deep":{"ssn":2}}})");
}

TEST_CASE("the order of rules does not matter, the more specific one does") {
  for (const char* rules : {"$.*: drop\n$.a: keep", "$.a: keep\n$.*: drop"})
    CHECK(scrubbed(rules, R"({"a":1,"b":2})") == R"({"a":1})");
  CHECK(scrubbed("$.*.a: keep\n$.x.*: drop", R"({"x":{"a":1,"b":2},"y":{"a":3,"b":4}})") ==
        R"({"x":{"a":1},"y":{"a":3}})");
  CHECK(scrubbed("$.items[*]: drop\n$.items[1]: keep", R"({"items":[1,2,3]})") == R"({"items":[2]})");
}

TEST_CASE("an object on the way to a named value stays, one that is only searched does not") {
  CHECK(scrubbed("$.a.b: keep", R"({"a":{"c":1},"d":{"c":2}})") == R"({"a":{}})");
  CHECK(scrubbed("$.a.b: keep", R"({"a":null})") == R"({"a":null})");
  CHECK(scrubbed("$..b: keep", R"({"bob":{"c":1},"d":{"b":2},"e":[{"c":1},{"b":3}]})") ==
        R"({"d":{"b":2},"e":[{"b":3}]})");
  CHECK(scrubbed("$.*.b: keep", R"({"bob":{"c":1},"d":{"b":2}})") == R"({"d":{"b":2}})");
}

TEST_CASE("elements of a named array keep their number, others leave one by one") {
  CHECK(scrubbed("$.items[*].sku: keep", R"({"items":[{"sku":1,"note":"x"}, {"note":"y"}, {"sku":3}]})") ==
        R"({"items":[{"sku":1}, {}, {"sku":3}]})");
  CHECK(scrubbed("$.items[*]: keep\n$.items[*].note: drop", R"({"items":[{"note":"y"},5]})") == "policy_wrong_type");
  CHECK(scrubbed("$.items: keep", R"({"items":[{"note":"y"},5]})") == R"({"items":[{"note":"y"},5]})");
  CHECK(scrubbed("$.tags[0]: keep", R"({"tags":["a" , "b"]})") == R"({"tags":["a" ]})");
  CHECK(scrubbed("$.tags[1]: keep", R"({"tags":["a" , "b"]})") == R"({"tags":[ "b"]})");
  CHECK(scrubbed("$[*].a: keep", R"([{"a":1,"b":2}])") == R"([{"a":1}])");
}

TEST_CASE("a value of another shape than the rules say is a rejected event") {
  CHECK(scrubbed("$.customer.email: keep", R"({"customer":"bob"})") == "policy_wrong_type");
  CHECK(scrubbed("$.customer: keep\n$.customer.email: drop", R"({"customer":["bob"]})") == "policy_wrong_type");
  CHECK(scrubbed("$.items[*].x: keep", R"({"items":{"x":1}})") == "policy_wrong_type");
  CHECK(scrubbed("$.a: keep", "5") == "policy_wrong_type");
  CHECK(scrubbed("$.a: keep", "null") == "null");
  CHECK(scrubbed("$.a: {action: mask, keep_last: 1}", R"({"a":{"b":1}})") == "policy_wrong_type");
  CHECK(scrubbed("$.a: {action: mask, keep_last: 1}", R"({"a":true})") == "policy_wrong_type");
}

TEST_CASE("the reason of a rejection names the rule and no value") {
  Rig rig(policy_of("$.customer.email: {action: hash, key: k1}"));
  const auto& event = rig.scrub(R"({"customer":{"email":["secret"]}})");
  CHECK(event.disposition == Disposition::reject);
  CHECK(event.reject_reason == "the policy's rule for $.customer.email (hash) is not for such a value");
}

TEST_CASE("what is no JSON, or not for every reader the same, is a rejected event") {
  const std::pair<std::string, const char*> bad[] = {
      {"", "policy_payload_not_json"},
      {"{", "policy_payload_not_json"},
      {"{\"a\"", "policy_payload_not_json"},
      {"{\"a\":", "policy_payload_not_json"},
      {"{\"a\":1", "policy_payload_not_json"},
      {"{\"a\":1,", "policy_payload_not_json"},
      {"{\"a\":1,}", "policy_payload_not_json"},
      {"{,}", "policy_payload_not_json"},
      {"{\"a\":1}}", "policy_payload_not_json"},
      {"{\"a\":1} x", "policy_payload_not_json"},
      {"{'a':1}", "policy_payload_not_json"},
      {"{\"a\":01}", "policy_payload_not_json"},
      {"{\"a\":+1}", "policy_payload_not_json"},
      {"{\"a\":.5}", "policy_payload_not_json"},
      {"{\"a\":1.}", "policy_payload_not_json"},
      {"{\"a\":1e}", "policy_payload_not_json"},
      {"{\"a\":NaN}", "policy_payload_not_json"},
      {"{\"a\":tru}", "policy_payload_not_json"},
      {"{\"a\":\"\t\"}", "policy_payload_not_json"},
      {"{\"a\":\"\\x\"}", "policy_payload_not_json"},
      {"{\"a\":\"\\u12\"}", "policy_payload_not_json"},
      {"{\"a\":\"x", "policy_payload_not_json"},
      {"{\"a\":[1}", "policy_payload_not_json"},
      {"{\"a\":[1,]}", "policy_payload_not_json"},
      {"{\"a\":[1 2]}", "policy_payload_not_json"},
      {"[", "policy_payload_not_json"},
      {"\xEF\xBB\xBF{}", "policy_payload_not_json"},
      {"{\"b\":\"\xff\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\xc0\xaf\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\xed\xa0\x80\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\xf4\x90\x80\x80\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\xe2\x82", "policy_payload_not_utf8"},
      {"{\"b\":\"\\ud800\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\\udc00\\ud800\"}", "policy_payload_not_utf8"},
      {"{\"b\":\"\\ud800\\u0041\"}", "policy_payload_not_utf8"},
      {"{\"b\":1e400}", "policy_payload_number"},
      {"{\"b\":-1e99999999999}", "policy_payload_number"},
      {"{\"b\":1" + std::string(400, '0') + "}", "policy_payload_number"},
      {"{\"a\":1,\"a\":1}", "policy_payload_duplicate_key"},
      {"{\"b\":{\"x\":1,\"\\u0078\":2}}", "policy_payload_duplicate_key"},
      {"{\"\\u0061\":1,\"a\":1}", "policy_payload_duplicate_key"}};
  for (const auto& [document, code] : bad) {
    INFO(document);
    for (const char* rules : {"$.a: keep", "$: keep\n$.zzz: drop", "$..zzz: keep", "$.*: {action: hash, key: k1}"})
      CHECK_MESSAGE((scrubbed(rules, document) == code ||
                     (scrubbed(rules, document) == "policy_wrong_type" && document.find('[') != std::string::npos)),
                    rules << " " << scrubbed(rules, document));
  }
}

TEST_CASE("depth and size are limited") {
  const auto nested = [](int levels) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']') + "}";
  };
  for (const char* rules : {"$.a: keep", "$.b: keep", "$..b: keep"}) {
    CHECK(scrubbed(rules, nested(63)) != "policy_payload_too_deep");
    CHECK(scrubbed(rules, nested(64)) == "policy_payload_too_deep");
    CHECK(scrubbed(rules, nested(100'000)) == "policy_payload_too_deep");
  }
  CHECK(scrubbed("$.a: keep", "{\"a\":\"" + std::string(17u << 20, 'x') + "\"}") == "policy_payload_too_large");
}

TEST_CASE("an object with very many members is checked for repeated names") {
  std::string document = "{";
  for (int i = 0; i < 5000; ++i) document += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  CHECK(scrubbed("$.k7: keep", document + "\"last\":1}") == "{\"k7\":7}");
  CHECK(scrubbed("$.k7: keep", document + "\"k4321\":1}") == "policy_payload_duplicate_key");
}

TEST_CASE("a payload that is kept whole may be anything, also no JSON") {
  CHECK(scrubbed("$: keep", "\x01\x02 protobuf") == "\x01\x02 protobuf");
  Rig rig(policy_of("$: keep"));
  rig.event({});
  CHECK(rig.apply().is_tombstone());
}
