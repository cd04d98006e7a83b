// The two sinks as configuration and doctor see them.
#include "connectors/component.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "relay/config/load.h"
#include "tests/contract/sink_contract_events.h"
#include "tests/file/line_reader.h"

using namespace relay;

namespace relay::connectors::file {
Component component();
}

namespace {

const connectors::SinkSpec& spec_of(const std::string& name) {
  static const auto component = connectors::file::component();
  for (const auto& sink : component.sinks)
    if (sink.name == name) return sink;
  FAIL("no sink " << name);
  return component.sinks.front();
}

// A pipeline with only what these sinks look at.
config::FieldSpec pipeline_fields() {
  using namespace relay::config;
  std::vector<Variant> sinks;
  for (const auto* name : {"file", "stdout"}) sinks.push_back({name, spec_of(name).summary, spec_of(name).fields});
  auto dead_letter = object("dead_letter", "", {text("topic", ""), boolean("table", "")});
  return object("", "",
                {variant("sink", "", sinks).require(),
                 object("on_reject", "", {text("action", ""), std::move(dead_letter)}).short_for("action")});
}

config::Loaded load(const std::string& yaml) {
  auto loaded = config::load_texts({{"test.yaml", yaml}}, pipeline_fields(), [](const auto&) { return std::nullopt; });
  if (!loaded.has_errors()) {
    const auto& sink = loaded.root["sink"];
    spec_of(sink["type"].as_string()).validate(sink, loaded.root, loaded.diagnostics);
  }
  return loaded;
}

connectors::BuildContext context_of(const config::Value& pipeline) {
  return {contract::kPipeline, pipeline, pipeline, Logger(), system_clock()};
}

}  // namespace

TEST_CASE("a dead letter topic is refused for sinks without topics, a dead letter table is not") {
  for (const std::string sink : {"{type: stdout}", "{type: file, path: /tmp/x.jsonl}"}) {
    CAPTURE(sink);
    CHECK(load("sink: " + sink).diagnostics.empty());
    CHECK(load("sink: " + sink + "\non_reject: halt").diagnostics.empty());
    CHECK(load("sink: " + sink + "\non_reject: {dead_letter: {table: true}}").diagnostics.empty());
    const auto refused = load("sink: " + sink + "\non_reject: {dead_letter: {topic: dead}}").diagnostics;
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].mark.line == 2);
    CHECK(refused[0].field == "on_reject.dead_letter.topic");
    CHECK(!refused[0].warning);
    CHECK(!refused[0].hint.empty());
  }
}

TEST_CASE("the file sink needs a path, and the stdout sink has none") {
  CHECK(load("sink: {type: file}").has_errors());
  CHECK(load("sink: {type: stdout, path: x}").has_errors());
}

TEST_CASE("the sinks are built from the configuration and say who stores progress") {
  const test::TemporaryDirectory directory;
  const auto loaded = load("sink: {type: file, path: " + directory / "events.jsonl" + "}");
  auto file = spec_of("file").build(context_of(loaded.root));
  REQUIRE(file.has_value());
  CHECK((*file)->stores_progress());
  CHECK(spec_of("file").stores_progress);
  REQUIRE((*file)->open(Millis(0), {}).has_value());
  CHECK(std::filesystem::exists(directory / "events.jsonl"));

  const auto out = spec_of("stdout").build(context_of(load("sink: {type: stdout}").root));
  REQUIRE(out.has_value());
  CHECK(!(*out)->stores_progress());
  CHECK(!spec_of("stdout").stores_progress);
}

TEST_CASE("doctor shows red what open() would refuse, and changes nothing") {
  const test::TemporaryDirectory directory;
  const auto findings = [&](const std::string& name) {
    const auto loaded = load("sink: {type: file, path: " + directory / name + "}");
    return spec_of("file").doctor(context_of(loaded.root));
  };
  for (const auto& finding : findings("events.jsonl")) CHECK(finding.severity == Severity::ok);
  CHECK(std::filesystem::is_empty(directory.path()));

  std::filesystem::create_directory(directory / "folder");
  test::write_file(directory / "notes", "notes\n");
  test::write_file(directory / "short.progress", "{\"file_bytes\":10,\"progress\":null}\n");
  struct Case {
    std::string name, code;
  };
  for (const auto& c : {Case{"missing/events.jsonl", "file_directory_missing"}, Case{"folder", "file_is_directory"},
                        Case{"notes", "file_without_progress"}, Case{"short", "file_shorter_than_progress"}}) {
    CAPTURE(c.name);
    const auto found = findings(c.name);
    REQUIRE(!found.empty());
    CHECK(found.back().severity == Severity::error);
    CHECK(found.back().code == c.code);
  }
  CHECK(!std::filesystem::exists(directory / "short"));
}
