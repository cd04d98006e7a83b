#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "shop_spec.h"

using namespace relay::config;
using namespace relay::config::test;
using Json = nlohmann::json;

TEST_CASE("the example configuration loads without a diagnostic") {
  const auto yaml = example_config(shop_spec());
  const auto loaded = load_shop(yaml);
  CHECK_MESSAGE(loaded.diagnostics.empty(), said(loaded) << yaml);
  CHECK(loaded.root["pipelines"]["orders"]["source"]["type"].as_string() == "slot");
  for (const char* line :
       {"# version: 1\n", "      # create: []\n", "    # batch: 2MiB\n", "      tables: [public.outbox]\n"})
    CHECK_MESSAGE(has(yaml, line), yaml);
}

TEST_CASE("the example still loads when every optional field in it is taken in") {
  // One "# " away from every line that is a commented-out field; the comments around them stay comments.
  std::string all;
  const auto yaml = example_config(shop_spec());
  for (std::size_t at = 0; at < yaml.size();) {
    const auto end = yaml.find('\n', at);
    auto line = yaml.substr(at, end - at);
    const auto hash = line.find("# ");
    const auto word = hash == std::string::npos ? std::string::npos : line.find(':', hash);
    const bool field = word != std::string::npos && line.find(' ', hash + 2) > word;
    const bool inside_one = hash != std::string::npos && line.compare(hash, 4, "#   ") == 0;
    if (field || inside_one) line.erase(hash, 2);
    all += line + "\n";
    at = end + 1;
  }
  const auto loaded = load_shop(all);
  CHECK_MESSAGE(loaded.diagnostics.empty(), said(loaded) << all);
  CHECK(loaded.root["pipelines"]["orders"]["producers"].was_written());
}

TEST_CASE("the JSON schema describes every field, its bounds and its variants") {
  const auto schema = Json::parse(json_schema(shop_spec()));
  CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema["additionalProperties"] == false);
  CHECK(schema["required"] == Json::array({"database", "pipelines"}));
  CHECK(schema["patternProperties"].contains("^x-"));
  const auto& pipeline = schema["properties"]["pipelines"]["additionalProperties"];
  CHECK(schema["properties"]["pipelines"]["propertyNames"]["pattern"] == "^(?:[a-z0-9_]{1,40})$");
  CHECK(pipeline["properties"]["producers"]["anyOf"][0] == Json{{"type", "integer"}, {"minimum", 1}, {"maximum", 8}});
  CHECK(pipeline["properties"]["producers"]["default"] == 1);
  CHECK(pipeline["properties"]["batch"]["default"] == "2MiB");
  const auto& source = pipeline["properties"]["source"];
  CHECK(source["properties"]["type"]["enum"] == Json::array({"slot", "poll"}));
  CHECK(source["allOf"][0]["then"]["properties"]["snapshot"]["anyOf"].size() == 2);
  CHECK(source["allOf"][0]["then"]["required"] == Json::array({"type", "tables"}));
}

TEST_CASE("the reference page has a row for every field and a section for every variant") {
  const auto page = reference_page(shop_spec());
  CHECK(has(page, "| `producers` | whole number | `1` | How many. From 1 to 8. |"));
  CHECK(has(page, "| `url` | secret text | **required** | libpq URL. Example: `postgresql://relay@db/shop`. |"));
  CHECK(has(page, "## `pipelines.<name>.source` with `type: slot`"));
  CHECK(has(page, "## `pipelines.<name>.source.snapshot`"));
  CHECK(has(page, "| `interval` | duration | `1s` | Between questions. From 10ms to 1m. |"));
  CHECK(page.back() == '\n');
}

TEST_CASE("what looks like HTML in a description is escaped, but not in code") {
  const auto page = reference_page(object("", "", {text("a", "Becomes <name>, or `<name>` | more.")}));
  CHECK(has(page, "Becomes \\<name>, or `<name>` \\| more."));
}

TEST_CASE("the effective configuration says what is a default and where the rest was written") {
  const auto loaded = load_shop(around(kSource + "    batch: 64KiB\n"));
  const auto shown = effective_config(loaded.root, true);
  CHECK(has(shown, "version: 1  # default\n"));
  CHECK(has(shown, "    batch: 64KiB  # relay.yaml:5\n"));
  CHECK(has(shown, "      tables: [public.outbox]  # relay.yaml:4\n"));
  CHECK_FALSE(has(effective_config(loaded.root, false), "relay.yaml"));
}

TEST_CASE("the effective configuration loads again to the same") {
  const auto first = load_shop(
      around(kSource + "    options: {a: \"x: y\", b: \"null\", c: \"- z\", d: \"#e\", e: \"\\\"q\\\"\\n\"}\n"));
  REQUIRE_MESSAGE(first.diagnostics.empty(), said(first));
  const auto again = load_shop(effective_config(first.root, true));
  CHECK_MESSAGE(again.diagnostics.empty(), said(again));
  CHECK(again.root["pipelines"].display() == first.root["pipelines"].display());
}
