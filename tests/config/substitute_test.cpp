#include <doctest/doctest.h>

#include "shop_spec.h"

using namespace relay::config;
using namespace relay::config::test;

namespace {

std::string option(const std::string& written, std::map<std::string, std::string> variables) {
  const auto loaded = load_shop(around(kSource + "    options: {x: " + written + "}\n"), std::move(variables));
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  return loaded.root["pipelines"]["orders"]["options"]["x"].as_string();
}

}  // namespace

TEST_CASE("variables are replaced in scalars") {
  CHECK(option("\"${A}\"", {{"A", "b"}}) == "b");
  CHECK(option("\"x-${A}-${B:-c}\"", {{"A", "1"}}) == "x-1-c");
  CHECK(option("\"${B:-}\"", {}) == "");
  CHECK(option("\"${B:-d}\"", {{"B", ""}}) == "d");
  CHECK(option("\"${B:-http://h:80/}\"", {}) == "http://h:80/");
  CHECK(option("\"$${A} costs 5$\"", {}) == "${A} costs 5$");
}

TEST_CASE("a variable's value is never looked into again and can add no structure") {
  CHECK(option("\"${A}\"", {{"A", "${B} {x: 1}\n- y"}}) == "${B} {x: 1}\n- y");
  CHECK(has(said(load_shop(around(kSource + "    options: ${A}\n"), {{"A", "{x: 1}"}})),
            "expected a map, got the text \"${A}\""));
}

TEST_CASE("keys are not substituted") {
  const auto loaded = load_shop(around(kSource + "    options: {\"${A}\": x}\n"), {{"A", "b"}});
  CHECK(loaded.root["pipelines"]["orders"]["options"]["${A}"].as_string() == "x");
}

TEST_CASE("a missing variable is an error that names it") {
  CHECK(has(said(load_shop("database:\n  url: ${DATABASE_URL}\npipelines: {a: {source: {type: poll}}}\n")),
            "relay.yaml:2:8: error: database.url: the environment variable DATABASE_URL is not set\n  hint: export "
            "DATABASE_URL=..."));
}

TEST_CASE("a required value that is empty because of its variable is an error") {
  CHECK(has(said(load_shop("database:\n  url: ${U}\npipelines: {a: {source: {type: poll}}}\n", {{"U", ""}})),
            "database.url: the value of ${U} is empty"));
}

TEST_CASE("malformed variables are errors, a bare dollar before a name only a warning") {
  CHECK(has(said(load_shop(around(kSource + "    options: {x: \"${A\"}\n"))), "a ${ has no closing }"));
  CHECK(has(said(load_shop(around(kSource + "    options: {x: \"${A-b}\"}\n"))), "is no variable name"));
  const auto bare = load_shop(around(kSource + "    options: {x: $HOME/a}\n"));
  CHECK(has(said(bare), "warning: pipelines.orders.options.x: $ before a name is taken as it stands"));
  CHECK_FALSE(bare.has_errors());
}

TEST_CASE("a variable may stand for a number, a duration or a switch, in quotes or not") {
  const auto loaded = load_shop(around(kSource + "    producers: ${N}\n    paused: \"${P}\"\n    batch: \"${B}\"\n"),
                                {{"N", "3"}, {"P", "true"}, {"B", "1MiB"}});
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  CHECK(loaded.root["pipelines"]["orders"]["producers"].as_int() == 3);
  CHECK(loaded.root["pipelines"]["orders"]["paused"].as_bool());
}

TEST_CASE("what came from the environment is never in a message") {
  for (const char* field : {"producers", "paused", "batch"}) {
    const auto text = said(load_shop(around(kSource + "    " + field + ": ${S}\n"), {{"S", "hunter2"}}));
    CHECK(has(text, "got the value of ${S}"));
    CHECK_FALSE(has(text, "hunter2"));
  }
  const auto slot =
      said(load_shop(around("    source: {type: slot, tables: [t], slot: \"${S}\"}\n"), {{"S", "Hunter-2"}}));
  CHECK(has(slot, "the value of ${S} must be lower-case"));
  CHECK_FALSE(has(slot, "Hunter-2"));
  const auto type = said(load_shop(around("    source: {type: \"${S}\"}\n"), {{"S", "hunter2"}}));
  CHECK(has(type, "the value of ${S} is none of slot or poll"));
  CHECK_FALSE(has(type, "hunter2"));
}

TEST_CASE("secrets print as *** wherever values are shown") {
  const auto loaded = load_shop(
      "database: {url: postgresql://u:hunter2@h/d}\npipelines:\n  a:\n    source: {type: poll}\n"
      "    options: {sasl.password: hunter2, sasl.username: \"${U}\", ssl.key.location: /k}\n",
      {{"U", "hunter2"}});
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  const auto shown = effective_config(loaded.root, true) + loaded.root.display();
  CHECK_FALSE(has(shown, "hunter2"));
  CHECK(has(shown, "url: \"***\""));
  CHECK(has(shown, "sasl.password: \"***\""));
  CHECK(has(shown, "sasl.username: \"${U}\""));
  CHECK(has(shown, "ssl.key.location: /k"));
  CHECK(loaded.root["pipelines"]["a"]["options"]["sasl.password"].as_string() == "hunter2");
}

TEST_CASE("a secret that stands in the wrong place is not shown either") {
  const auto text = said(load_shop("database: postgresql://u:hunter2@h/d\npipelines: postgresql://u:hunter2@h/d\n"));
  CHECK(has(text, "database: expected a map of fields, got text"));
  CHECK_FALSE(has(text, "database: expected a map of fields, got the text"));
}
