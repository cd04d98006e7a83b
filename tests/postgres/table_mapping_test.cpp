#include "connectors/postgres/table_mapping.h"

#include <doctest/doctest.h>

#include "tests/postgres/stream_messages.h"

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

TableCapture capture_all() {
  TableCapture capture;
  capture.table = "public.orders";
  for (const auto operation : {Operation::insert, Operation::update, Operation::remove, Operation::snapshot})
    capture.events.push_back({operation, std::string(name_of(operation)), {}, std::nullopt});
  return capture;
}

TableShape orders(char identity = 'd') {
  const bool full = identity == 'f';
  return {"public", "orders", {{"id", 20, true}, {"status", 25, full}, {"total", 1700, full}, {"note", 25, full}}, identity, {"id"}, {}};
}

std::vector<ColumnText> row(const std::vector<std::optional<std::string_view>>& values) {
  std::vector<ColumnText> out;
  for (const auto& value : values) out.push_back({value.value_or(std::string_view{}), false});
  return out;
}

std::string header(const Event& event, std::string_view name) {
  for (const auto& h : event.headers)
    if (h.name == name) return std::string(h.value);
  return "(none)";
}

struct Rig {
  std::unique_ptr<TableMapping> mapping;
  Batch batch;
  std::string code;  // why there is no mapping

  Rig(const TableCapture& capture, TableShape shape) {
    auto made = TableMapping::make(capture, std::move(shape));
    if (made) mapping = std::move(*made);
    else code = made.error().code;
  }
  const Event* send(const RowChange& change) {
    const auto before = batch.events().size();
    mapping->append(change, {Lsn{0x10}, Lsn{0x8}, 1, 7, 0, false}, batch);
    return batch.events().size() > before ? &batch.events().back() : nullptr;
  }
};

}  // namespace

TEST_CASE("an insert is the row as JSON under its key, with the operation as type and header") {
  Rig rig(capture_all(), orders());
  const auto fresh = row({"1", "o\"pen", "12.50", std::nullopt});
  const auto* event = rig.send({Operation::insert, {}, fresh, false, {}});
  REQUIRE(event);
  CHECK(event->payload == R"({"id":1,"status":"o\"pen","total":12.50,"note":null})");
  CHECK(event->aggregate_type == "orders");
  CHECK(event->aggregate_id == "1");
  CHECK(event->event_type == "insert");
  CHECK(event->id == "0/10-0/8-1");
  CHECK(event->source_table == "public.orders");
  CHECK(header(*event, "operation") == "insert");
  CHECK(header(*event, "changed_columns") == "(none)");
}

TEST_CASE("a delete holds what its replica identity holds") {
  const auto key = row({"1", std::nullopt, std::nullopt, std::nullopt});
  Rig by_key(capture_all(), orders());
  CHECK(by_key.send({Operation::remove, key, {}, false, {}})->payload == R"({"id":1})");
  const auto whole = row({"1", "open", "1", std::nullopt});
  Rig full(capture_all(), orders('f'));
  CHECK(full.send({Operation::remove, whole, {}, true, {}})->payload == R"({"id":1,"status":"open","total":1,"note":null})");
}

TEST_CASE("an unchanged value that was not sent is left out and named, never put in words of its own") {
  Rig rig(capture_all(), orders());
  auto fresh = row({"1", "open", "1", "x"});
  fresh[3] = {{}, true};
  const auto* event = rig.send({Operation::update, {}, fresh, false, {}});
  CHECK(event->payload == R"({"id":1,"status":"open","total":1})");
  CHECK(header(*event, "missing_columns") == R"(["note"])");
}

TEST_CASE("changed columns are listed when the whole old row came, and only then") {
  Rig rig(capture_all(), orders('f'));
  const auto before = row({"1", "open", "1", std::nullopt}), after = row({"1", "paid", "1", ""});
  CHECK(header(*rig.send({Operation::update, before, after, true, {}}), "changed_columns") == R"(["status","note"])");
}

TEST_CASE("the first rule that fits decides, and a change without one is no event") {
  auto capture = capture_all();
  capture.events = {{Operation::update, "paid", {"status"}, *ChangeCondition::parse("new.status = 'paid'")},
                    {Operation::update, "moved", {"status"}, std::nullopt},
                    {Operation::insert, "placed", {}, *ChangeCondition::parse("new.total > 10")}};
  Rig rig(capture, orders('f'));
  const auto open = row({"1", "open", "1", {}}), paid = row({"1", "paid", "1", {}}), sent = row({"1", "sent", "11", {}});
  CHECK(rig.send({Operation::update, open, paid, true, {}})->event_type == "paid");
  CHECK(rig.send({Operation::update, paid, sent, true, {}})->event_type == "moved");
  CHECK(rig.send({Operation::update, sent, sent, true, {}}) == nullptr);
  CHECK(rig.send({Operation::remove, sent, {}, true, {}}) == nullptr);
  CHECK(rig.send({Operation::insert, {}, open, false, {}}) == nullptr);
  CHECK(rig.send({Operation::insert, {}, sent, false, {}})->event_type == "placed");
  CHECK(rig.send({Operation::snapshot, {}, sent, false, {}})->event_type == "placed");
}

TEST_CASE("columns are chosen, left out and made headers; several aggregate columns are joined") {
  auto capture = capture_all();
  capture.exclude_columns = {"total", "note"};
  capture.header_columns = {"note"};
  capture.aggregate_id = {"id", "status"};
  capture.aggregate_type = "{schema}-{table}";
  Rig rig(capture, orders('f'));
  const auto fresh = row({"1", "a:b\\c", "1", "hello"});
  const auto* event = rig.send({Operation::insert, {}, fresh, false, {}});
  CHECK(event->payload == R"({"id":1,"status":"a:b\\c"})");
  CHECK(event->aggregate_id == "1:a\\:b\\\\c");
  CHECK(event->aggregate_type == "public-orders");
  CHECK(header(*event, "note") == "hello");
}

TEST_CASE("an update of the aggregate id is told from one that leaves it, with and without an old row") {
  Rig rig(capture_all(), orders());
  const auto old_key = row({"1", {}, {}, {}}), fresh = row({"2", "open", "1", {}}), same = row({"1", "open", "1", {}});
  CHECK(rig.mapping->changes_aggregate({Operation::update, old_key, fresh, false, {}}));
  CHECK_FALSE(rig.mapping->changes_aggregate({Operation::update, old_key, same, false, {}}));
  CHECK_FALSE(rig.mapping->changes_aggregate({Operation::update, {}, fresh, false, {}}));
}

TEST_CASE("a value that is not what its type says makes a rejected event without its bytes in the reason") {
  Rig rig(capture_all(), orders());
  const auto bad = row({"1", "\xff", "1", {}});
  const auto* event = rig.send({Operation::insert, {}, bad, false, {}});
  CHECK(event->disposition == Disposition::reject);
  CHECK(event->reject_code == "value_unreadable");
  CHECK_MESSAGE(event->payload == R"({"id":"31","status":"ff","total":"31","note":null})", "so that nothing is lost");
}

TEST_CASE("a delete has headers only of columns that its replica identity holds") {
  auto capture = capture_all();
  capture.header_columns = {"id", "status"};
  const auto key = row({"1", std::nullopt, std::nullopt, std::nullopt});
  Rig by_key(capture, orders());
  const auto* event = by_key.send({Operation::remove, key, {}, false, {}});
  CHECK(header(*event, "id") == "1");
  CHECK(header(*event, "status") == "(none)");
}

TEST_CASE("header columns count in the weight of a batch") {
  auto capture = capture_all();
  capture.columns = {"id"};
  capture.header_columns = {"note"};
  Rig rig(capture, orders());
  const std::string note(1000, 'n');
  const auto fresh = row({"1", "open", "1", note});
  rig.send({Operation::insert, {}, fresh, false, {}});
  CHECK(rig.batch.bytes() >= 1000);
}

TEST_CASE("a condition that needs a value that was not sent makes a rejected event, not a guess") {
  auto capture = capture_all();
  capture.events = {{Operation::update, "noteless", {}, *ChangeCondition::parse("new.note is null")}};
  Rig rig(capture, orders());
  auto fresh = row({"1", "open", "1", "x"});
  fresh[3] = {{}, true};
  const auto* event = rig.send({Operation::update, {}, fresh, false, {}});
  REQUIRE(event);
  CHECK(event->disposition == Disposition::reject);
  CHECK(event->reject_code == "value_not_sent");
  fresh = row({"1", "open", "1", {}});
  CHECK(rig.send({Operation::update, {}, fresh, false, {}})->disposition == Disposition::deliver);
}

TEST_CASE("a header's column that was not sent is left out and named") {
  auto capture = capture_all();
  capture.exclude_columns = {"note"};
  capture.header_columns = {"note"};
  Rig rig(capture, orders());
  auto fresh = row({"1", "open", "1", "x"});
  fresh[3] = {{}, true};
  const auto* event = rig.send({Operation::update, {}, fresh, false, {}});
  CHECK(header(*event, "note") == "(none)");
  CHECK(header(*event, "missing_columns") == R"(["note"])");
}

TEST_CASE("what cannot be captured rightly gives no mapping") {
  auto capture = capture_all();
  auto shape = orders();
  shape.key.clear();
  CHECK(Rig(capture, shape).code == "aggregate_id_missing");
  capture.aggregate_id = {"status"};
  CHECK(Rig(capture, orders()).code == "replica_identity_insufficient");
  CHECK(Rig(capture, orders('f')).code.empty());
  capture = capture_all();
  capture.columns = {"nope"};
  CHECK(Rig(capture, orders()).code == "table_column_missing");
  capture = capture_all();
  capture.events[1].of = {"total"};
  CHECK(Rig(capture, orders()).code == "replica_identity_insufficient");
  capture = capture_all();
  capture.events[2].when = *ChangeCondition::parse("old.total > 1");
  CHECK(Rig(capture, orders()).code == "replica_identity_insufficient");
}
