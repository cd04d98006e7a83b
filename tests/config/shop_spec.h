// A small specification with one field of every type, for the loader's tests.
#pragma once

#include <map>

#include "relay/config/load.h"

namespace relay::config::test {

inline FieldSpec snapshot_spec() {
  return object("snapshot", "Existing rows.",
                {text("mode", "What to do.").one_of({"initial", "never"}).require(), text("order_by", "A column.")})
      .short_for("mode");
}

inline FieldSpec shop_spec() {
  std::vector<FieldSpec> slot{
      text("slot", "Its name.").matching("[a-z0-9_]+", "lower-case letters, digits and _").for_example("orders"),
      snapshot_spec(),
      list("tables", "Of the outbox.", text("", "A table.")).require().for_example("[public.outbox]"),
      object("columns", "Names by role.",
             {text("id", "The id.").defaults("id"), text("payload", "The payload.").defaults("payload")})
          .defaults("{}"),
      list("create", "May be made.", text("", "A thing.").one_of({"slot", "publication"})).defaults("[]"),
  };
  std::vector<FieldSpec> poll{duration("interval", "Between questions.").between(10, 60'000).defaults("1s")};
  std::vector<FieldSpec> pipeline{
      variant("source", "Where from.", {{"slot", "A slot.", slot}, {"poll", "Polling.", poll}}).require(),
      size("batch", "At once.").between(1024, 1 << 30).defaults("2MiB"),
      integer("producers", "How many.").between(1, 8).defaults("1"),
      boolean("paused", "Not now.").defaults("false"),
      map("options", "Passed on.", text("", "A value.")),
      path("policy", "A file."),
  };
  return object("", "",
                {integer("version", "Of the format.").between(1, 1).defaults("1"),
                 object("database", "Where rows come from.",
                        {secret("url", "libpq URL.").require().for_example("postgresql://relay@db/shop"),
                         duration("connect_timeout", "Patience.").defaults("10s")})
                     .require(),
                 map("pipelines", "By name.", object("", "", pipeline))
                     .require()
                     .keys_matching("[a-z0-9_]{1,40}", "1 to 40 of a-z, 0-9 and _")
                     .for_example("orders")});
}

inline Environment environment(std::map<std::string, std::string> variables = {}) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  };
}

inline Loaded load_shop(const std::string& yaml, std::map<std::string, std::string> variables = {}) {
  return load_texts({{"relay.yaml", yaml}}, shop_spec(), environment(std::move(variables)));
}

// Every diagnostic as text, for looking at and for CHECKs.
inline std::string said(const Loaded& loaded) {
  std::string out;
  for (const auto& d : loaded.diagnostics) out += d.text() + "\n";
  return out;
}

inline bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

// A whole configuration around the lines of one pipeline's body (indented by four).
inline std::string around(const std::string& body) {
  return "database: {url: \"postgresql://db/shop\"}\npipelines:\n  orders:\n" + body;
}
inline const std::string kSource = "    source: {type: slot, tables: [public.outbox]}\n";

}  // namespace relay::config::test
