// A source as somebody writes it into a configuration file, for tests of its fields, checks and values.
#pragma once

#include <doctest/doctest.h>

#include "connectors/postgres/poll_source_fields.h"
#include "connectors/postgres/source_fields.h"
#include "relay/config/load.h"

namespace relay::connectors::postgres {

// Which source: its name in the configuration, and the three functions that it brings.
template <typename Config>
struct SourceUnderTest {
  const char* type;
  std::vector<config::FieldSpec> (*fields)();
  void (*validate)(const config::Value& part, const config::Value& pipeline, config::Diagnostics& out);
  Config (*made)(const BuildContext& context);
};
inline constexpr SourceUnderTest<SlotSourceConfig> kSlot{"slot", slot_source_fields, validate_slot_source,
                                                         slot_source_config};
inline constexpr SourceUnderTest<PollSourceConfig> kPoll{"poll", poll_source_fields, validate_poll_source,
                                                         poll_source_config};

template <typename Config>
config::FieldSpec root_of(const SourceUnderTest<Config>& source) {
  using namespace config;
  return object("", "",
                {object("database", "",
                        {secret("url", ""), path("password_file", ""), list("password_command", "", text("", "")),
                         duration("connect_timeout", "").defaults("10s")}),
                 object("pipeline", "",
                        {variant("source", "", {{source.type, "", source.fields()}}),
                         object("sink", "", {list("headers", "", text("", "")).defaults("[]")}).defaults("{}")})});
}

// The lines of the source are indented by four spaces; `sink` is lines of the pipeline.
template <const auto& kSource>
struct GivenSource {
  config::Loaded loaded;
  config::Diagnostics diagnostics;

  explicit GivenSource(const std::string& lines, const std::string& sink = "")
      : loaded(config::load_texts({{"test.yaml", "database: {url: 'postgresql://relay@db/shop'}\npipeline:\n" + sink +
                                                     "  source:\n    type: " + kSource.type + "\n" + lines}},
                                  root_of(kSource), [](const std::string&) { return std::nullopt; })),
        diagnostics(loaded.diagnostics) {
    if (!loaded.has_errors())
      kSource.validate(loaded.root["pipeline"]["source"], loaded.root["pipeline"], diagnostics);
  }
  auto config() {
    for (const auto& d : diagnostics) MESSAGE(d.text());
    REQUIRE(diagnostics.empty());
    return kSource.made({"orders", loaded.root["pipeline"], loaded.root["database"], Logger(), system_clock()});
  }
  std::string problems() const {
    std::string out;
    for (const auto& d : diagnostics) out += d.text() + "\n";
    return out;
  }
};

}  // namespace relay::connectors::postgres
