#include "relay/app/configuration.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fake_connectors.h"
#include "relay/app/build.h"
#include "relay/app/root_spec.h"

using namespace relay;
using namespace relay::app;
using namespace relay::app::test;

namespace {

const config::Environment kEmpty = [](const std::string&) { return std::nullopt; };

Configuration load(const std::string& yaml) {
  static const auto catalog = fake_catalog(std::make_shared<World>());
  const config::NamedText text{"relay.yaml", yaml};
  return check_configuration(config::load_texts({text}, root_spec(catalog), kEmpty), {"relay.yaml"}, catalog);
}

std::string said(const std::string& yaml) { return report(load(yaml).diagnostics); }

// `rest`: further fields of the pipeline, in flow style.
std::string pipeline(const std::string& rest, const std::string& source = "{type: slot}",
                     const std::string& sink = "{type: memory}") {
  return "database: {url: u}\npipelines:\n  orders: {source: " + source + ", sink: " + sink + ", policy: none" + rest +
         "}\n";
}

bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("a small configuration is right and has the documented defaults") {
  const auto configuration = load(pipeline(""));
  REQUIRE_MESSAGE(configuration.diagnostics.empty(), report(configuration.diagnostics));
  REQUIRE(configuration.pipelines.size() == 1);
  const auto options = pipeline_options(configuration.pipelines[0], true);
  CHECK(options.name == "orders");
  CHECK(options.drain);
  CHECK(options.on_reject == OnReject::halt);
  CHECK(options.stall_release == Millis{30'000});
  CHECK(options.batch.events_target == BatchLimits{}.events_target);
  CHECK(options.batch.bytes_target == BatchLimits{}.bytes_target);
  CHECK(options.batch.events_max == BatchLimits{}.events_max);
  CHECK(options.batch.bytes_max == BatchLimits{}.bytes_max);
  CHECK((*configuration.root)["pipelines"]["orders"]["format"]["type"].as_string() == "payload");
}

TEST_CASE("the policy must be written out") {
  CHECK(has(said("database: {url: u}\npipelines:\n  a: {source: {type: slot}, sink: {type: memory}}\n"),
            "pipelines.a.policy: is missing\n  hint: write policy: none"));
  CHECK(load(pipeline(", batch: {events: 10}")).diagnostics.empty());
}

TEST_CASE("every form of on_reject works and contradictions are errors") {
  CHECK(load(pipeline(", on_reject: halt")).diagnostics.empty());
  const auto topic = load(pipeline(", on_reject: {dead_letter: {topic: dead}}"));
  CHECK(pipeline_options(topic.pipelines.at(0), false).on_reject == OnReject::dead_letter_topic);
  const auto table = load(pipeline(", on_reject: {dead_letter: {table: true}}"));
  CHECK(pipeline_options(table.pipelines.at(0), false).on_reject == OnReject::dead_letter_table);
  CHECK(has(said(pipeline(", on_reject: {dead_letter: {table: true, topic: t}}")), "both a topic and the table"));
  CHECK(has(said(pipeline(", on_reject: {dead_letter: {table: false}}")), "neither a topic nor the table"));
  CHECK(has(said(pipeline(", on_reject: {action: halt, dead_letter: {table: true}}")), "both halt and dead_letter"));
  CHECK(has(said(pipeline(", on_reject: skip")), "\"skip\" is none of halt"));
}

TEST_CASE("two pipelines cannot share a slot, written or by default") {
  const auto two = [](const std::string& a, const std::string& b) {
    return said("database: {url: u}\npipelines:\n  a: {source: {type: slot" + a +
                "}, policy: none, sink: {type: memory}}\n"
                "  b: {source: {type: slot" +
                b + "}, policy: none, sink: {type: memory}}\n");
  };
  CHECK(two("", "").empty());
  CHECK(has(two(", slot: x", ", slot: x"),
            "4:34: error: pipelines.b.source.slot: the slot x belongs to the pipeline a already"));
  CHECK(has(two(", slot: outbox_relay_b", ""),
            "relay.yaml:4:6: error: pipelines.b.source.slot: the slot outbox_relay_b"));
}

TEST_CASE("a sink outside the boundary refuses policy none") {
  CHECK(has(said(pipeline("", "{type: slot}", "{type: partner}")), "the sink partner is outside the boundary"));
}

TEST_CASE("a policy is a file, which is checked with the configuration, or none") {
  namespace fs = std::filesystem;
  const auto file = (fs::temp_directory_path() / ("relay-policy-" + std::to_string(::getpid()) + ".yaml")).string();
  const auto with = [&](const std::string& policy, const std::string& sink) {
    return load("database: {url: u}\npipelines:\n  a: {source: {type: slot}, policy: " + policy + ", sink: {type: " + sink +
                "}}\n");
  };
  std::ofstream(file) << "version: 1\nevents:\n  - {match: {aggregate_type: a, event_type: b}, key: keep, payload: {}}\n";
  const auto good = with("{file: " + file + "}", "partner");
  CHECK_MESSAGE(good.diagnostics.empty(), report(good.diagnostics));
  REQUIRE(good.pipelines.size() == 1);
  REQUIRE(good.pipelines[0].policy != nullptr);
  CHECK(good.pipelines[0].policy->blocks.size() == 1);
  std::ofstream(file) << "version: 1\nevents:\n  - {match: {aggregate_type: a}, key: keep, payload: {}}\n";
  CHECK(has(report(with("{file: " + file + "}", "memory").diagnostics), file + ":3:5: error: events[0].event_type"));
  fs::remove(file);
  CHECK(has(report(with("{file: " + file + "}", "memory").diagnostics), "cannot be read"));
  CHECK(has(report(with("{mode: none, file: x}", "memory").diagnostics), "both none and a file"));
  CHECK(has(report(with("{}", "memory").diagnostics), "neither none nor a file"));
  CHECK(with("none", "memory").pipelines.at(0).policy == nullptr);
}

TEST_CASE("what a connector finds is reported under its pipeline, with its place") {
  CHECK(has(said(pipeline("", "{type: slot, tables: []}")),
            "relay.yaml:3:41: error: pipelines.orders.source.tables: no table"));
}

TEST_CASE("two ways to the password are one too many") {
  CHECK(has(said("database: {url: u, password_file: f, password_command: [c]}\npipelines:\n"
                 "  a: {source: {type: slot}, policy: none, sink: {type: memory}}\n"),
            "both password_file and password_command"));
}

TEST_CASE("the report counts errors and warnings") {
  const auto text = said("database: {url: u}\npipelines:\n  a: {sink: {type: memory}, batsh: 1}\n");
  CHECK(has(text, "3 errors\n"));
}

TEST_CASE("pipelines are selected by name, and an unknown name suggests a known one") {
  auto configuration = load(
      "database: {url: u}\npipelines:\n  orders: &p {source: {type: slot}, policy: none, sink: {type: memory}}\n"
      "  invoices: *p\n");
  REQUIRE(configuration.pipelines.size() == 2);
  const auto wrong = select_pipelines(configuration, {"order"});
  REQUIRE_FALSE(wrong);
  CHECK(has(wrong.error(), "there is no pipeline order\n  hint: did you mean orders?"));
  CHECK(select_pipelines(configuration, {}));
  CHECK(configuration.pipelines.size() == 2);
  CHECK(select_pipelines(configuration, {"invoices"}));
  REQUIRE(configuration.pipelines.size() == 1);
  CHECK(configuration.pipelines[0].name == "invoices");
}

TEST_CASE("the example of the fake connectors loads without a diagnostic") {
  const auto catalog = fake_catalog(std::make_shared<World>());
  CHECK(said(config::example_config(root_spec(catalog))).empty());
}
