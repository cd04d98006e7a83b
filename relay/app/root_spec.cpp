#include "relay/app/root_spec.h"

#include "relay/base/assert.h"

namespace relay::app {
namespace {

using namespace config;
using connectors::Component;

FieldSpec database_spec() {
  return object("database", "The captured database.",
                {secret("url", "libpq URL of the primary, direct, not through PgBouncer. It may hold a password.")
                     .require()
                     .for_example("postgresql://relay@db.example.com:5432/shop"),
                 path("password_file", "Holds the password; read again at every connect, so it may change.")
                     .for_example("/etc/outbox-relay/secrets/db-password"),
                 list("password_command",
                      "Prints the password to its standard output; program and arguments, run at every connect.",
                      text("", "A word of the command."))
                     .for_example("[vault, read, -field=password, secret/shop]"),
                 duration("connect_timeout", "How long a connect may take.").between(1'000, 600'000).defaults("10s")})
      .require();
}

FieldSpec policy_spec() {
  return object("policy", "What may leave, and in what form; always written out.",
                {text("mode", "`none`: all of it, to a sink inside your boundary.").one_of({"none"}),
                 path("file", "A policy file: only what it names leaves. `policy-reference.md` has its fields.")
                     .for_example("policies/partner.yaml")})
      .short_for("mode")
      .require();
}

FieldSpec format_spec() {
  return variant("format", "The form of an event's value.",
                 {{"payload", "The bytes of the payload column, as they are.", {}}})
      .defaults("{type: payload}");
}

FieldSpec on_reject_spec() {
  auto dead_letter = object("dead_letter", "Set it aside and go on; exactly one of the two.",
                            {text("topic", "A topic; written in the same transaction as the events around it.")
                                 .for_example("outbox.dead-letter"),
                             boolean("table", "`true`: the table outbox_relay.dead_letter in the captured database.")});
  return object("on_reject", "What to do with an event that can never be delivered.",
                {text("action", "`halt`: stop the pipeline before the batch that holds it; nothing is skipped.").one_of({"halt"}),
                 std::move(dead_letter)})
      .short_for("action")
      .defaults("halt");
}

FieldSpec batch_spec() {
  return object(
             "batch",
             "When a batch is closed although the sink is busy. A transaction is kept whole as long as its batch stays below twice of both.",
             {integer("events", "Events of a batch.").between(1, 100'000).defaults("12000"),
              size("bytes", "Bytes of a batch; a pipeline holds two.").between(64 << 10, 64 << 20).defaults("6MiB")})
      .defaults("{}");
}

FieldSpec pipeline_spec(const std::vector<Component>& catalog) {
  std::vector<Variant> sources, sinks;
  for (const auto& component : catalog) {
    for (const auto& s : component.sources) sources.push_back({s.name, s.summary, s.fields});
    for (const auto& s : component.sinks) sinks.push_back({s.name, s.summary, s.fields});
  }
  return object(
      "", "One source, one sink.",
      {variant("source", "Where events come from.", std::move(sources)).require(), policy_spec(), format_spec(),
       variant("sink", "Where events go.", std::move(sinks)).require(), on_reject_spec(), batch_spec(),
       duration("stall_release",
                "When the sink has acknowledged nothing for so long, the slot is given back, so that the "
                "database can be shut down; it is taken again when the sink recovers.")
           .between(1'000, 3'600'000)
           .defaults("30s")});
}

}  // namespace

FieldSpec root_spec(const std::vector<Component>& catalog) {
  return object("", "",
                {integer("version", "Version of this format.").between(1, 1).defaults("1"), database_spec(),
                 map("pipelines", "Each with a slot and a position of its own.", pipeline_spec(catalog))
                     .require()
                     .keys_matching("[a-z0-9_]{1,40}", "1 to 40 lower-case letters, digits and underscores")
                     .for_example("orders")});
}

const connectors::SourceSpec& source_spec(const std::vector<Component>& catalog, std::string_view type) {
  const connectors::SourceSpec* found = nullptr;
  for (const auto& component : catalog)
    for (const auto& s : component.sources)
      if (s.name == type) found = &s;
  RELAY_ASSERT(found != nullptr);
  return *found;
}

const connectors::SinkSpec& sink_spec(const std::vector<Component>& catalog, std::string_view type) {
  const connectors::SinkSpec* found = nullptr;
  for (const auto& component : catalog)
    for (const auto& s : component.sinks)
      if (s.name == type) found = &s;
  RELAY_ASSERT(found != nullptr);
  return *found;
}

}  // namespace relay::app
