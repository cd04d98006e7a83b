// Every action with every kind of value.
#include "policy_rig.h"
#include "relay/policy/keyed_actions.h"

using namespace relay::policy;
using namespace relay::policy::test;

namespace {

// The value that leaves under this rule, or the code of the rejection.
std::string acted(const std::string& rule, const std::string& value) {
  const auto out = scrubbed("$.v: " + rule, "{\"v\":" + value + "}");
  return out.rfind("{\"v\":", 0) == 0 ? out.substr(5, out.size() - 6) : out;
}

constexpr const char* kWrong = "policy_wrong_type";

}  // namespace

TEST_CASE("null and replace take any value's place, drop leaves nothing") {
  for (const char* value : {"1", "\"x\"", "true", "null", "{\"a\":[1]}", "[2]"}) {
    CHECK(acted("\"null\"", value) == "null");
    CHECK(acted("null", value) == "null");
    CHECK(acted("{action: replace, with: 'a \"b\"'}", value) == R"("a \"b\"")");
    CHECK(acted("drop", value) == "{}");
  }
}

TEST_CASE("null stays null under every other action") {
  for (const char* rule :
       {"{action: mask}", "{action: hash, key: k1}", "{action: encrypt, key: k1}", "email", "detect",
        "{action: truncate, length: 1}", "{action: generalise, to: month}", "{action: generalise, bucket: 5}"})
    CHECK(acted(rule, "null") == "null");
}

TEST_CASE("mask keeps so many characters, and of a short text none") {
  CHECK(acted("{action: mask, keep_last: 2}", R"("+49 170 55")") == R"("********55")");
  CHECK(acted("{action: mask, keep_first: 1, keep_last: 1}", R"("müßig")") == R"("m***g")");
  CHECK(acted("{action: mask, keep_first: 1, keep_last: 1}", R"("\u00fcb\u00e4")") == R"("ü*ä")");
  CHECK(acted("{action: mask, keep_first: 1}", R"("😀😀")") == R"("😀*")");
  CHECK(acted("mask", R"("secret")") == R"("******")");
  CHECK(acted("{action: mask, keep_last: 2}", R"("ab")") == R"("**")");
  CHECK(acted("{action: mask, keep_last: 4}", "12345678") == R"("****5678")");
  CHECK(acted("mask", R"("")") == R"("")");
  for (const char* value : {"true", "[1]", "{}"}) CHECK(acted("mask", value) == kWrong);
}

TEST_CASE("truncate cuts between characters and leaves short texts as they are") {
  CHECK(acted("{action: truncate, length: 3}", R"("äöüß")") == R"("äöü")");
  CHECK(acted("{action: truncate, length: 3}", R"("\u00e4b")") == R"("\u00e4b")");
  CHECK(acted("{action: truncate, length: 0}", R"("abc")") == R"("")");
  CHECK(acted("{action: truncate, length: 2}", "123") == R"("12")");
  CHECK(acted("{action: truncate, length: 2}", "false") == kWrong);
}

TEST_CASE("email keeps the domain and nothing that only looks like one") {
  CHECK(acted("email", R"("bob.smith@example.com")") == R"("***@example.com")");
  CHECK(acted("email", R"("\"a@b\"@mail.example.com")") == R"("***@mail.example.com")");
  for (const char* value : {R"("bob")", R"("bob@home")", R"("bob@example.com, phone 17")", R"("@.com")",
                            R"("a@b.com.")", R"("a@bücher.de")", "17"})
    CHECK(acted("email", value) == R"("***")");
  const auto hashed = acted("{action: email, key: k1}", R"("bob@example.com")");
  CHECK(hashed.rfind("\"k1.", 0) == 0);
  CHECK(hashed.size() == 2 + 3 + 43 + 12);
  CHECK(hashed.substr(3 + 1 + 43) == "@example.com\"");
  CHECK(acted("{action: email, key: k1}", R"("bob")").size() == 2 + 3 + 43);
}

TEST_CASE("hash gives one result for one text, with the key's id in front") {
  const auto one = acted("{action: hash, key: k1}", R"("bob@example.com")");
  CHECK(one.rfind("\"k1:", 0) == 0);
  CHECK(one.size() == 2 + 3 + 43);
  CHECK(one == acted("{action: hash, key: k1}", R"("\u0062ob@example.com")"));
  CHECK(one != acted("{action: hash, key: k2}", R"("bob@example.com")"));
  CHECK(acted("{action: hash, key: k1}", "42") == acted("{action: hash, key: k1}", R"("42")"));
  CHECK(acted("{action: hash, key: k1}", "42") != acted("{action: hash, key: k1}", "42.0"));
  for (const char* value : {"true", "{}", "[]"}) CHECK(acted("{action: hash, key: k1}", value) == kWrong);
}

TEST_CASE("what was derived for a field stays the same for ever") {
  // From an independent implementation: HKDF and HMAC of Python's hmac module.
  CHECK(acted("{action: hash, key: k1}", R"("bob@example.com")") ==
        "\"k1:eE1vVfdq8ig7ufX78qydKSALkC2erQgXczVVJtHTUmw\"");
}

TEST_CASE("equal values of different fields differ unless the policy joins them") {
  const char* document = R"({"a":"x","b":"x","c":"x"})";
  const auto apart = scrubbed("$.a: {action: hash, key: k1}\n$.b: {action: hash, key: k1}", document);
  CHECK(apart.substr(5, 48) != apart.substr(apart.size() - 49, 48));
  const auto joined =
      scrubbed("$.a: {action: hash, key: k1, join: person}\n$.b: {action: hash, key: k1, join: person}", document);
  CHECK(joined.substr(5, 48) == joined.substr(joined.size() - 49, 48));
  CHECK(joined.find(apart.substr(5, 48)) == std::string::npos);
}

TEST_CASE("encrypt can be taken back with the key and the field, and with nothing else") {
  const auto keys = load_keys({{"k1", "", "", "K1", {}}, {"k2", "", "", "K2", {}}}, kKeysInEnvironment);
  REQUIRE(keys.has_value());
  for (const char* value : {R"("bob \"b\" ü")", R"("")", "42.50", "-1e3"}) {
    const auto out = acted("{action: encrypt, key: k1}", value);
    const auto text = out.substr(1, out.size() - 2);
    CHECK(out == acted("{action: encrypt, key: k1}", value));
    CHECK(key_id_of(text) == "k1");
    CHECK(decrypt(keys->at("k1"), "payload $.v", text) == value);
    CHECK(!decrypt(keys->at("k2"), "payload $.v", text));
    CHECK(!decrypt(keys->at("k1"), "payload $.w", text));
    CHECK(!decrypt(keys->at("k1"), "payload $.v", text + "A"));
  }
  CHECK(acted("{action: encrypt, key: k1}", "true") == kWrong);
  CHECK(!key_id_of("none"));
}

TEST_CASE("generalise makes dates, numbers and addresses coarser and rejects what is none") {
  CHECK(acted("{action: generalise, to: year}", R"("2024-05-17")") == R"("2024")");
  CHECK(acted("{action: generalise, to: month}", R"("2024-05-17T10:11:12Z")") == R"("2024-05")");
  CHECK(acted("{action: generalise, to: day}", R"("2024-05-17 10:11:12+02")") == R"("2024-05-17")");
  for (const char* value : {R"("17.05.2024")", R"("2024-13-01")", R"("2024-00-01")", R"("2024-01-32")",
                            R"("2024-05-17x")", "20240517", "true"})
    CHECK(acted("{action: generalise, to: month}", value) == kWrong);
  CHECK(acted("{action: generalise, bucket: 10}", "37") == "30");
  CHECK(acted("{action: generalise, bucket: 10}", "-1") == "-10");
  CHECK(acted("{action: generalise, bucket: 10}", "39.99") == "30");
  CHECK(acted("{action: generalise, bucket: 100}", "1.2e3") == "1200");
  CHECK(acted("{action: generalise, bucket: 10}", R"("37.50")") == R"("30")");
  for (const char* value : {R"("a")", R"("")", R"("1 ")", "1e300", R"("inf")", R"("nan")", "true"})
    CHECK(acted("{action: generalise, bucket: 10}", value) == kWrong);
  CHECK(acted("{action: generalise, to: network}", R"("203.0.113.77")") == R"("203.0.113.0/24")");
  CHECK(acted("{action: generalise, to: network}", R"("203.0.113.77/32")") == R"("203.0.113.0/24")");
  CHECK(acted("{action: generalise, to: network}", R"("2001:db8:1:2:3:4:5:6")") == R"("2001:db8:1::/48")");
  CHECK(acted("{action: generalise, to: network}", R"("::ffff:203.0.113.77")") == R"("::/48")");
  for (const char* value : {R"("203.0.113")", R"("1.2.3.4.5")", R"("::1%eth0")", R"("1.2.3.4\u0000x")", "17"})
    CHECK(acted("{action: generalise, to: network}", value) == kWrong);
}

TEST_CASE("detect takes out what it knows and leaves the rest") {
  CHECK(acted("detect", R"("write to bob.smith+x@mail.example.com.")") == R"("write to [email].")");
  CHECK(acted("detect", R"("a@b.c d@e.f")") == R"("[email] [email]")");
  CHECK(acted("detect", R"("card 4111 1111 1111 1111, thanks")") == R"("card [card], thanks")");
  CHECK(acted("detect", R"("4111-1111-1111-1111 12/27")") == R"("[card] 12/27")");
  CHECK(acted("detect", R"("12 4111111111111111")") == R"("12 [card]")");
  CHECK(acted("detect", R"("order 4111111111111112")") == R"("order 4111111111111112")");
  CHECK(acted("detect", "4111111111111111") == R"("[card]")");
  CHECK(acted("detect", "4111") == "4111");
  CHECK(acted("detect", R"("to DE89 3704 0044 0532 0130 00 please")") == R"("to [iban] please")");
  CHECK(acted("detect", R"("gb82WEST12345698765432")") == R"("[iban]")");
  CHECK(acted("detect", R"("DE89 3704 0044 0532 0130 02")") == R"("DE89 3704 0044 0532 0130 02")");
  CHECK(acted("detect", R"("nothing \u00fc here")") == R"("nothing \u00fc here")");
  CHECK(acted("detect", R"("b\u006fb@example.com \u00fc")") == R"("[email] ü")");
  CHECK(acted("{action: detect, find: card}", R"("a@b.c")") == R"("a@b.c")");
  CHECK(acted("{action: detect, patterns: {customer: 'K-[0-9]+'}}", R"("K-17 and K-18, a@b.c")") ==
        R"("[customer] and [customer], a@b.c")");
  CHECK(acted("{action: detect, find: [email], patterns: {who: 'bob@[a-z]+'}}", R"("xbob@home.de!")") ==
        R"("[email]!")");
  CHECK(acted("detect", "true") == "true");
  CHECK(acted("detect", "[]") == kWrong);
}
