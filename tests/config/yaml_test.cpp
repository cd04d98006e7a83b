#include <doctest/doctest.h>

#include "shop_spec.h"

using namespace relay::config;
using namespace relay::config::test;

TEST_CASE("anchors, aliases and merge keys work") {
  const auto loaded = load_shop(
      "x-base: &base {type: slot, tables: [a], create: [slot]}\n"
      "x-more: &more {snapshot: never, create: [publication]}\n"
      "database: {url: u}\n"
      "pipelines:\n"
      "  one: {source: *base}\n"
      "  two:\n"
      "    source:\n"
      "      <<: [*base, *more]\n"
      "      tables: [b]\n");
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  const auto& two = loaded.root["pipelines"]["two"]["source"];
  CHECK(two["tables"].items()[0].as_string() == "b");     // written beside << wins
  CHECK(two["create"].items()[0].as_string() == "slot");  // the first merged map wins
  CHECK(two["snapshot"]["mode"].as_string() == "never");
  CHECK(loaded.root["pipelines"]["one"]["source"]["tables"].items()[0].as_string() == "a");
}

TEST_CASE("a merge key that is no map is an error") {
  CHECK(
      has(said(load_shop(around(kSource + "    <<: text\n"))), "5:5: error: << must be followed by an alias of a map"));
  CHECK(has(said(load_shop(around(kSource + "    <<: [a]\n"))), "<< must be followed by an alias of a map"));
}

TEST_CASE("an alias inside of what it names is an error, not an endless loop") {
  CHECK(has(said(load_shop("x-a: &a {b: *a}\n" + around(kSource))),
            "1:13: error: an alias that refers to what it is part of"));
}

TEST_CASE("aliases of aliases of aliases are refused before they eat the memory") {
  std::string yaml = "x-0: &x0 [a, a, a, a, a, a, a, a, a, a]\n";
  for (int i = 1; i < 12; ++i) {
    yaml += "x-" + std::to_string(i) + ": &x" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) yaml += "*x" + std::to_string(i - 1) + (j < 9 ? ", " : "]\n");
  }
  auto deep = list("deep", "", text("", ""));
  for (int i = 0; i < 11; ++i) deep = list("deep", "", deep);
  const auto loaded = load_texts({{"f", yaml + "deep: *x11\n"}}, object("", "", {deep}), environment());
  CHECK(has(said(loaded), "the aliases expand to too many values"));
}

TEST_CASE("a long chain of aliases does not exhaust the stack") {
  std::string yaml = "a0: &a0 {z: 1}\n";
  for (int i = 1; i < 20'000; ++i)
    yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {z: *a" + std::to_string(i - 1) + "}\n";
  CHECK(load_texts({{"f", yaml}, {"g", yaml}}, shop_spec(), environment()).has_errors());
}

TEST_CASE("a syntax error is a diagnostic with line, column and a hint") {
  const auto text = said(load_shop("database: {url: a\npipelines:\n  orders: 1\n"));
  CHECK(has(text, "relay.yaml:"));
  CHECK(has(text, "error: not YAML: "));
  CHECK(has(said(load_shop("a: b\n\tc: d\n")), "YAML is indented with spaces; replace the tab"));
  CHECK(has(said(load_shop("a: \"b\nc: d\n")), "a quote is not closed"));
  CHECK(has(said(load_shop("a: b: c\n")), "relay.yaml:1:5: error: not YAML: illegal map value"));
}

TEST_CASE("a variable without quotes in a flow map gets the hint that helps") {
  CHECK(has(said(load_shop("database: {url: ${DATABASE_URL}}\n")),
            "inside { } and [ ] a variable needs quotes: \"${NAME}\""));
}

TEST_CASE("columns count characters, not bytes") {
  CHECK(has(said(load_shop("{database: {url: \"\xC3\xA4\xC3\xB6\xC3\xBC\"}, pipelinez: 1}\n")),
            "relay.yaml:1:26: error: pipelinez"));
}

TEST_CASE("what is not UTF-8 text is named with its place") {
  CHECK(has(said(load_shop("a: b\nc: \xFF\n")), "relay.yaml:2:4: error: not UTF-8 text"));
  CHECK(has(said(load_shop("a: \xC0\x80\n")), "1:4: error: not UTF-8 text"));
  CHECK(has(said(load_shop(std::string("a: b\0c\n", 7))), "relay.yaml:1:5: error: a control character"));
}

TEST_CASE("a byte order mark and Windows line ends are fine") {
  CHECK(load_shop("\xEF\xBB\xBF" + around(kSource)).diagnostics.empty());
  CHECK(load_shop("database: {url: u}\r\npipelines:\r\n  a: {source: {type: poll}}\r\n").diagnostics.empty());
}

TEST_CASE("tags, second documents and keys that are no text are refused") {
  CHECK(has(said(load_shop(around(kSource + "    batch: !env BATCH\n"))), "the tag !env means nothing here"));
  CHECK(load_shop(around(kSource + "    policy: !!str 5\n")).diagnostics.empty());
  CHECK(has(said(load_shop(around(kSource) + "---\nversion: 1\n")), "a second YAML document begins here"));
  CHECK(has(said(load_shop(around(kSource + "    ? [a]\n    : b\n"))), "a key must be plain text"));
  CHECK(has(said(load_shop("- a\n")), "a configuration is a map of fields"));
  CHECK(has(said(load_shop("just text\n")), "a configuration is a map of fields"));
}

TEST_CASE("a huge or endlessly nested text is refused") {
  CHECK(has(said(load_shop(std::string(2u << 20, 'a'))), "larger than 1 MiB"));
  CHECK(load_shop(std::string(100'000, '[')).has_errors());
  CHECK(load_shop(std::string(100'000, '{')).has_errors());
}
