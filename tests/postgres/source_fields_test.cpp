#include "tests/postgres/given_source.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

using Given = GivenSource<kSlot>;

}  // namespace

TEST_CASE("a source needs no more than its tables") {
  const auto c = Given("    outbox: {tables: [public.outbox]}\n").config();
  CHECK(c.pipeline == "orders");
  CHECK(c.slot == "outbox_relay_orders");
  CHECK(c.publication == "outbox_relay");
  CHECK_FALSE((c.create_publication || c.create_slot || c.create_tables));
  CHECK(c.snapshot == SnapshotMode::unset);
  CHECK(c.outbox_tables == std::vector<std::string>{"public.outbox"});
  CHECK(c.columns.aggregate_type == "aggregatetype");
  CHECK_FALSE(c.null_payload_is_tombstone);
  CHECK_FALSE(c.unmatched_tables_ignored);
  CHECK(c.status_interval == Millis{2'000});
  CHECK(c.connection.application_name == "outbox-relay orders");
  CHECK(c.connection.url.reveal() == "postgresql://relay@db/shop");
}

TEST_CASE("everything can be said") {
  const auto c = Given(R"(    slot: mine
    publication: Theirs
    create: [publication, slot, tables]
    snapshot: {mode: initial, order_by: "created_at, id", on_changed_row: report}
    outbox:
      tables: [tenant_*.outbox]
      columns: {id: event_id, aggregate_type: "", payload: body}
      header_columns: ["*"]
      null_payload: tombstone
    unmatched_tables: ignore
    status_interval: 500ms
)")
                     .config();
  CHECK(c.slot == "mine");
  CHECK(c.publication == "Theirs");
  CHECK((c.create_publication && c.create_slot && c.create_tables));
  CHECK(c.snapshot == SnapshotMode::initial);
  CHECK(c.snapshot_order_by == std::vector<std::string>{"created_at", "id"});
  CHECK(c.on_changed_row == OnChangedRow::report);
  CHECK(c.columns.id == "event_id");
  CHECK(c.columns.aggregate_type.empty());
  CHECK(c.columns.aggregate_id == "aggregateid");
  CHECK(c.header_columns == std::vector<std::string>{"*"});
  CHECK(c.null_payload_is_tombstone);
  CHECK(c.unmatched_tables_ignored);
  CHECK(c.status_interval == Millis{500});
}

TEST_CASE("the snapshot's mode can stand alone") {
  CHECK(Given("    snapshot: never\n    outbox: {tables: [a.b]}\n").config().snapshot == SnapshotMode::never);
  CHECK(Given("    snapshot: initial\n    outbox: {tables: [a.b]}\n").config().snapshot == SnapshotMode::initial);
}

TEST_CASE("what makes no sense is said with its place") {
  CHECK(Given("    outbox: {tables: []}\n").problems().find("must not be empty") != std::string::npos);
  CHECK(Given("    outbox: {tables: [outbox]}\n").problems().find("schema.table") != std::string::npos);
  CHECK(Given("    slot: Upper\n    outbox: {tables: [a.b]}\n").problems().find("lower-case") != std::string::npos);
  CHECK(Given("    outbox: {tables: [a.b], columns: {id: \"\"}}\n").problems().find("a name is needed") !=
        std::string::npos);
  CHECK(Given("    outbox: {tables: [a.b], columns: {id: type}}\n").problems().find("another role") !=
        std::string::npos);
  CHECK(Given("    outbox: {tables: [a.b], header_columns: [payload]}\n").problems().find("has a role already") !=
        std::string::npos);
  CHECK(Given("    snapshot: {mode: never, order_by: x}\n    outbox: {tables: [a.b]}\n").problems().find("no order") !=
        std::string::npos);
  const auto problems = Given("    create: [table]\n    outbox: {tables: [a.b]}\n").problems();
  CHECK(problems.find("test.yaml:5:") != std::string::npos);
}
