#include "connectors/postgres/poll_source_fields.h"

#include <doctest/doctest.h>

#include "relay/config/load.h"

using namespace relay;
using namespace relay::config;
using namespace relay::connectors;
using namespace relay::connectors::postgres;

namespace {

FieldSpec root() {
  return object("", "",
                {object("database", "",
                        {secret("url", ""), path("password_file", ""), list("password_command", "", text("", "")),
                         duration("connect_timeout", "").defaults("10s")}),
                 object("pipeline", "",
                        {variant("source", "", {{"poll", "", poll_source_fields()}}),
                         object("sink", "", {list("headers", "", text("", "")).defaults("[]")}).defaults("{}")})});
}

// The configuration of a source, its lines indented by four spaces.
struct Given {
  Loaded loaded;
  Diagnostics diagnostics;

  explicit Given(const std::string& lines, const std::string& sink = "")
      : loaded(load_texts({{"test.yaml", "database: {url: 'postgresql://relay@db/shop'}\npipeline:\n" + sink +
                                             "  source:\n    type: poll\n" + lines}},
                          root(), [](const std::string&) { return std::nullopt; })),
        diagnostics(loaded.diagnostics) {
    if (!loaded.has_errors())
      validate_poll_source(loaded.root["pipeline"]["source"], loaded.root["pipeline"], diagnostics);
  }
  PollSourceConfig config() {
    for (const auto& d : diagnostics) MESSAGE(d.text());
    REQUIRE(diagnostics.empty());
    return poll_source_config({"orders", loaded.root["pipeline"], loaded.root["database"], Logger(), system_clock()});
  }
  std::string problems() const {
    std::string out;
    for (const auto& d : diagnostics) out += d.text() + "\n";
    return out;
  }
};

bool says(const Given& given, const char* part) { return given.problems().find(part) != std::string::npos; }

}  // namespace

TEST_CASE("polling needs no more than its type, and then reads our own outbox table") {
  const auto c = Given("").config();
  CHECK(c.common.outbox_tables == std::vector<std::string>{"outbox_relay.outbox"});
  CHECK(c.id_column == "relay_id");
  CHECK(c.xid_column == "relay_xid");
  CHECK(c.common.columns.aggregate_type == "aggregatetype");
  CHECK(c.common.snapshot == SnapshotMode::unset);
  CHECK_FALSE(c.common.create_tables);
  CHECK(c.shortest_interval == Millis{5});
  CHECK(c.longest_interval == Millis{1'000});
  CHECK(c.notify_channel.empty());
  CHECK_FALSE(c.purge_interval);
}

TEST_CASE("everything of a polled source can be said") {
  const auto c = Given(R"(    create: [tables]
    snapshot: {mode: initial, order_by: created_at}
    outbox:
      tables: [public.outbox]
      columns: {id: event_id, relay_id: num, relay_xid: tx}
      header_columns: [num, tenant]
      null_payload: tombstone
    poll: {min: 20ms, max: 2s}
    notify: outbox
    purge: 1m
)")
                     .config();
  CHECK(c.common.create_tables);
  CHECK(c.common.snapshot == SnapshotMode::initial);
  CHECK(c.common.snapshot_order_by == std::vector<std::string>{"created_at"});
  CHECK(c.common.columns.id == "event_id");
  CHECK(c.id_column == "num");
  CHECK(c.xid_column == "tx");
  CHECK(c.common.null_payload_is_tombstone);
  CHECK(c.shortest_interval == Millis{20});
  CHECK(c.notify_channel == "outbox");
  CHECK(c.purge_interval == Millis{60'000});
}

TEST_CASE("a pipeline polls exactly one table") {
  CHECK(says(Given("    outbox: {tables: [a.b, a.c]}\n"), "exactly one table"));
  CHECK(says(Given("    outbox: {tables: [a.*]}\n"), "exactly one"));
  CHECK(says(Given("    outbox: {tables: [b]}\n"), "schema.table"));
}

TEST_CASE("what makes no sense for polling is said with its place") {
  CHECK(says(Given("    poll: {min: 2s, max: 1s}\n"), "source.poll.min"));
  CHECK(says(Given("    outbox: {columns: {relay_id: id}}\n"), "another role"));
  CHECK(says(Given("    snapshot: {mode: never, order_by: x}\n"), "no order"));
  CHECK(says(Given("    slot: a\n"), "slot"));
  CHECK(says(Given("    snapshot: {mode: initial, on_changed_row: report}\n"), "on_changed_row"));
}

TEST_CASE("headers that only a slot knows are refused") {
  const auto given = Given("", "  sink: {headers: [id, commit_lsn, committed_at, transaction_id]}\n");
  CHECK(given.diagnostics.size() == 2);
  CHECK(says(given, "commit_lsn"));
  CHECK(says(given, "committed_at"));
}
