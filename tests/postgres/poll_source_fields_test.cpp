#include "tests/postgres/given_source.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

using Given = GivenSource<kPoll>;

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
      tables: [outbox_relay.outbox]
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

TEST_CASE("a pipeline purges only the table that it reads") {
  CHECK(says(Given("    outbox: {tables: [public.outbox]}\n    purge: 1m\n"), "source.purge"));
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
