#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shop_spec.h"

using namespace relay::config;
using namespace relay::config::test;
namespace fs = std::filesystem;

TEST_CASE("a right configuration loads with its values, defaults and units") {
  const auto loaded = load_shop(around(kSource + "    batch: 64KiB\n"
                                                 "    options: {linger.ms: 5, compression: lz4}\n"));
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  const auto& pipeline = loaded.root["pipelines"]["orders"];
  CHECK(loaded.root["version"].as_int() == 1);
  CHECK_FALSE(loaded.root["version"].was_written());
  CHECK(loaded.root["database"]["url"].as_secret().reveal() == "postgresql://db/shop");
  CHECK(loaded.root["database"]["connect_timeout"].as_duration() == std::chrono::seconds(10));
  CHECK(pipeline["batch"].as_size() == 65536);
  CHECK(pipeline["batch"].was_written());
  CHECK(pipeline["batch"].mark().line == 5);
  CHECK(pipeline["batch"].mark().column == 12);
  CHECK(pipeline["producers"].as_int() == 1);
  CHECK_FALSE(pipeline["paused"].as_bool());
  CHECK(pipeline["source"]["type"].as_string() == "slot");
  CHECK(pipeline["source"]["tables"].items().at(0).as_string() == "public.outbox");
  CHECK(pipeline["source"]["columns"]["payload"].as_string() == "payload");
  CHECK(pipeline["options"]["linger.ms"].as_string() == "5");
  CHECK_FALSE(pipeline["source"]["snapshot"].has_value());
  CHECK_FALSE(pipeline["source"]["snapshot"]["mode"].has_value());
  CHECK(pipeline["source"]["create"].items().empty());
}

TEST_CASE("a shorthand stands for its object") {
  for (const char* snapshot : {"initial", "{mode: initial}", "\"initial\""}) {
    const auto loaded =
        load_shop(around("    source: {type: slot, tables: [t], snapshot: " + std::string(snapshot) + "}\n"));
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
    CHECK(loaded.root["pipelines"]["orders"]["source"]["snapshot"]["mode"].as_string() == "initial");
  }
}

TEST_CASE("all problems of a run are reported at once, in order, each with its place, field and hint") {
  const auto loaded = load_shop(
      "database: {url: x, conect_timeout: 10s}\n"
      "pipelines:\n"
      "  orders:\n"
      "    sourc: {type: slot}\n"
      "    batch: 64\n"
      "    producers: many\n"
      "    paused: yes\n");
  CHECK(said(loaded) ==
        "relay.yaml:1:20: error: database.conect_timeout: unknown key\n"
        "  hint: did you mean connect_timeout?\n"
        "relay.yaml:4:5: error: pipelines.orders.sourc: unknown key\n"
        "  hint: did you mean source?\n"
        "relay.yaml:4:5: error: pipelines.orders.source: is missing\n"
        "  hint: write source: {type: slot or poll, ...}\n"
        "relay.yaml:5:12: error: pipelines.orders.batch: expected a size such as 64MiB, got the number 64\n"
        "  hint: write 64MiB; a size is a whole number and a unit: B, KiB, MiB, GiB, TiB, kB, MB, GB or TB\n"
        "relay.yaml:6:16: error: pipelines.orders.producers: expected a whole number, got the text \"many\"\n"
        "  hint: write a whole number, without a unit or separators\n"
        "relay.yaml:7:13: error: pipelines.orders.paused: expected true or false, got the text \"yes\"\n"
        "  hint: write true\n");
  CHECK(loaded.has_errors());
}

TEST_CASE("a duplicate key is an error that names the first place") {
  const auto text = said(load_shop("database: {url: a}\n" + around(kSource)));
  CHECK(has(text, "relay.yaml:2:1: error: the key database is here twice\n  hint: it was first written at line 1"));
}

TEST_CASE("a duplicate key inside a flow map is an error") {
  CHECK(has(said(load_shop(around("    source: {type: slot, tables: [t], type: slot}\n"))),
            ":4:39: error: the key type is here twice"));
}

TEST_CASE("a key that stands in the wrong place is told where it belongs") {
  CHECK(
      has(said(load_shop(around(kSource + "    tables: [t]\n"))), "tables belongs to pipelines.<name>.source.tables"));
}

TEST_CASE("an unknown key that resembles nothing lists the known ones") {
  CHECK(has(said(load_shop(around("    source: {type: poll, zzzzzzzz: 1}\n"))),
            "hint: known here are interval and type"));
}

TEST_CASE("a variant without or with an unknown type lists the known types") {
  CHECK(has(said(load_shop(around("    source: {tables: [t]}\n"))),
            "4:13: error: pipelines.orders.source: `type` is missing\n  hint: write type: slot or poll"));
  CHECK(
      has(said(load_shop(around("    source: {type: slott}\n"))),
          "4:20: error: pipelines.orders.source.type: \"slott\" is none of slot or poll\n  hint: did you mean slot?"));
  CHECK(has(said(load_shop(around("    source: slot\n"))), "expected a map with a `type`, got the text \"slot\""));
}

TEST_CASE("a missing required field says what to write") {
  CHECK(
      has(said(load_shop("pipelines: {a: {source: {type: poll}}}\n")), "relay.yaml:1:1: error: database: is missing"));
  CHECK(has(said(load_shop(around("    source: {type: slot}\n"))),
            "source.tables: is missing\n  hint: write tables: [public.outbox]"));
  CHECK(has(said(load_shop("")), "pipelines: is missing\n  hint: write pipelines: {orders: ...}"));
}

TEST_CASE("a required map without an entry is an error") {
  CHECK(has(said(load_shop("database: {url: a}\npipelines: {}\n")), "pipelines: needs at least one entry"));
}

TEST_CASE("a field without a value is an error") {
  CHECK(has(said(load_shop(around(kSource + "    batch:\n"))), "pipelines.orders.batch: has no value"));
  CHECK(has(said(load_shop(around(kSource + "    batch: ~\n"))), "pipelines.orders.batch: has no value"));
}

TEST_CASE("durations and sizes need a unit and the hint says which") {
  const auto timeout = [](const std::string& written) {
    return said(
        load_shop("database: {url: a, connect_timeout: " + written + "}\npipelines: {a: {source: {type: poll}}}\n"));
  };
  CHECK(timeout("10s").empty());
  CHECK(timeout("500ms").empty());
  CHECK(timeout("\"10s\"").empty());
  CHECK(has(timeout("10"), "expected a duration such as 10s, got the number 10\n  hint: write 10s"));
  CHECK(has(timeout("10 S"), "hint: write 10s"));
  CHECK(has(timeout("1.5s"), "a duration is a whole number and a unit"));
  CHECK(has(timeout("[1]"), "expected a duration such as 10s, got a list"));
  CHECK(has(timeout("99999999999999999999s"), "expected a duration"));
}

TEST_CASE("a value out of its range is told in the units of the field") {
  CHECK(has(said(load_shop(around("    source: {type: poll, interval: 2h}\n"))),
            "must be between 10ms and 1m, got the text \"2h\""));
  CHECK(has(said(load_shop(around(kSource + "    batch: 1B\n"))), "must be between 1KiB and 1GiB"));
  CHECK(has(said(load_shop(around(kSource + "    producers: 9\n"))), "must be between 1 and 8, got the number 9"));
  CHECK(has(said(load_shop("version: 2\n" + around(kSource))), "version: must be 1, got the number 2"));
}

TEST_CASE("a number in quotes is text, and the hint says to remove the quotes") {
  CHECK(has(said(load_shop(around(kSource + "    producers: \"2\"\n"))),
            "expected a whole number, got the text \"2\"\n  hint: remove the quotes: 2"));
  CHECK(has(said(load_shop(around(kSource + "    paused: 'true'\n"))), "hint: remove the quotes: true"));
}

TEST_CASE("text that is no legal name or choice is refused with what is legal") {
  CHECK(has(said(load_shop(around("    source: {type: slot, tables: [t], slot: Orders-1}\n"))),
            "\"Orders-1\" must be lower-case letters, digits and _\n  hint: for example orders"));
  CHECK(has(said(load_shop(around("    source: {type: slot, tables: [t], create: [slot, publicaton]}\n"))),
            "source.create[1]: \"publicaton\" is none of slot or publication\n  hint: did you mean publication?"));
  CHECK(has(said(load_shop("database: {url: a}\npipelines:\n  Orders: {source: {type: poll}}\n")),
            "relay.yaml:3:3: error: pipelines.Orders: a key of pipelines must be 1 to 40 of a-z, 0-9 and _"));
}

TEST_CASE("a list must be written as a list") {
  CHECK(has(said(load_shop(around("    source: {type: slot, tables: public.outbox}\n"))),
            "expected a list, got the text \"public.outbox\"\n  hint: write a list: [public.outbox]"));
}

TEST_CASE("one value may stand for a list of it, and null for a text, where the field says so") {
  const auto spec = object("", "",
                           {list("names", "Several.", text("", "One.")).or_one(),
                            object("rule", "What to do.", {text("action", "Which.").one_of({"keep", "null"}).null_means("null")})
                                .short_for("action")
                                .null_means("null")});
  const auto load = [&](const std::string& yaml) { return load_texts({{"a.yaml", yaml}}, spec, environment()); };
  for (const char* yaml : {"names: a\n", "names: [a]\n"}) {
    const auto loaded = load(yaml);
    REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
    REQUIRE(loaded.root["names"].items().size() == 1);
    CHECK(loaded.root["names"].items()[0].as_string() == "a");
  }
  for (const char* yaml : {"rule: null\n", "rule:\n", "rule: \"null\"\n", "rule: {action: null}\n"})
    CHECK(load(yaml).root["rule"]["action"].as_string() == "null");
  CHECK(said(load("names: {a: b}\n")).find("expected a list") != std::string::npos);
  CHECK(json_schema(spec).find("\"null\"") != std::string::npos);
}

TEST_CASE("the path of a file is relative to the configuration file that names it") {
  const auto loaded =
      load_texts({{"/etc/outbox-relay/relay.yaml", around(kSource + "    policy: policies/../partner.yaml\n")}},
                 shop_spec(), environment());
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  CHECK(loaded.root["pipelines"]["orders"]["policy"].as_string() == "/etc/outbox-relay/partner.yaml");
}

TEST_CASE("top-level keys that begin with x- are free for anchors, others are not") {
  CHECK(load_shop("x-defaults: &d {type: poll}\n" + around("    source: *d\n")).diagnostics.empty());
  CHECK(has(said(load_shop(around(kSource + "    x-note: 1\n"))), "pipelines.orders.x-note: unknown key"));
}

TEST_CASE("several files merge by key and the later one replaces everything else") {
  const auto loaded =
      load_texts({{"a.yaml", around("    source: {type: slot, tables: [a, b], create: [slot]}\n    batch: 1MiB\n")},
                  {"b.yaml",
                   "pipelines:\n  orders:\n    source: {tables: [c]}\n    producers: 3\n"
                   "  other: {source: {type: poll}}\n"}},
                 shop_spec(), environment());
  REQUIRE_MESSAGE(loaded.diagnostics.empty(), said(loaded));
  const auto& orders = loaded.root["pipelines"]["orders"];
  CHECK(orders["source"]["tables"].items().size() == 1);
  CHECK(orders["source"]["tables"].items()[0].as_string() == "c");
  CHECK(orders["source"]["tables"].mark().file == "b.yaml");
  CHECK(orders["source"]["create"].items().size() == 1);
  CHECK(orders["batch"].as_size() == 1 << 20);
  CHECK(orders["producers"].as_int() == 3);
  CHECK(loaded.root["pipelines"].entries().size() == 2);
}

TEST_CASE("a value that a later file replaces is not checked, nor are its variables asked for") {
  const auto loaded = load_texts(
      {{"a.yaml", around(kSource + "    batch: ${NOT_SET}\n")}, {"b.yaml", "pipelines: {orders: {batch: 1MiB}}\n"}},
      shop_spec(), environment());
  CHECK_MESSAGE(loaded.diagnostics.empty(), said(loaded));
}

TEST_CASE("diagnostics of several files come in the order of the files") {
  const auto text = said(load_texts({{"z.yaml", around(kSource + "    batsh: 1\n")}, {"a.yaml", "versio: 1\n"}},
                                    shop_spec(), environment()));
  CHECK(text.find("z.yaml") < text.find("a.yaml"));
}

TEST_CASE("an unreadable file is a diagnostic like any other") {
  const auto missing = load({"/nonexistent/relay.yaml"}, shop_spec(), environment());
  CHECK(has(said(missing), "/nonexistent/relay.yaml: error: cannot be read: No such file or directory"));
  const auto directory = load({fs::temp_directory_path().string()}, shop_spec(), environment());
  CHECK(has(said(directory), "cannot be read: Is a directory"));
  CHECK(has(said(load({}, shop_spec(), environment())), "no configuration file"));
}

TEST_CASE("a file is read from disk, the problems of a second and unreadable one included") {
  const auto file = fs::temp_directory_path() / ("relay_config_test_" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(file) << around(kSource + "    batch: 1\n    batch: 2\n");
  const auto text = said(load({file.string(), "/nonexistent"}, shop_spec(), environment()));
  fs::remove(file);
  CHECK(has(text, file.string() + ":6:5: error: the key batch is here twice"));
  CHECK(has(text, "/nonexistent: error: cannot be read"));
}
