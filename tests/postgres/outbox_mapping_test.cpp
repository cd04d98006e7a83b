#include "connectors/postgres/outbox_mapping.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

std::vector<ColumnInfo> columns(std::uint32_t payload_type = 3802) {
  return {{"id", 2950, true},        {"aggregatetype", 1043}, {"aggregateid", 1043}, {"type", 1043},
          {"payload", payload_type}, {"tenant", 25},          {"created_at", 1184}};
}

std::vector<ColumnText> row(std::string_view payload) {
  return {{"e1", false},    {"order", false}, {"42", false}, {"paid", false},
          {payload, false}, {"acme", false},  {{}, false}};
}

const Event& mapped(const SlotSourceConfig& config, std::vector<ColumnText> values, Batch& batch,
                    std::uint32_t payload_type = 3802) {
  static std::vector<std::unique_ptr<OutboxMapping>> kept;
  auto made = OutboxMapping::make(config, "public.outbox", columns(payload_type));
  REQUIRE(made);
  kept.push_back(std::move(*made));
  kept.back()->append(values, {Lsn{100}, Lsn{90}, 2, 7, 1234, true}, batch);
  return batch.events().back();
}

}  // namespace

TEST_CASE("the default columns play their roles") {
  Batch batch;
  const auto& event = mapped({}, row("{}"), batch);
  CHECK(event.id == "e1");
  CHECK(event.aggregate_type == "order");
  CHECK(event.aggregate_id == "42");
  CHECK(event.event_type == "paid");
  CHECK(event.payload == "{}");
  CHECK(event.headers.empty());
  CHECK(event.from_snapshot);
  CHECK(event.ordinal == 2);
  CHECK(event.disposition == Disposition::deliver);
  CHECK(batch.bytes() == 15);
}

TEST_CASE("other column names, and roles without a column") {
  SlotSourceConfig config;
  config.columns = {"tenant", "", "", "type", "payload"};
  Batch batch;
  const auto& event = mapped(config, row("{}"), batch);
  CHECK(event.id == "acme");
  CHECK(event.aggregate_type.data() == nullptr);
  CHECK(event.event_type == "paid");
}

TEST_CASE("further columns become headers, NULL included") {
  SlotSourceConfig config;
  Batch batch;
  SUBCASE("named") { config.header_columns = {"created_at", "tenant"}; }
  SUBCASE("all without a role") { config.header_columns = {"*"}; }
  const auto& event = mapped(config, row("{}"), batch);
  REQUIRE(event.headers.size() == 2);
  const auto tenant = event.headers[0].name == "tenant" ? 0u : 1u;
  CHECK(event.headers[tenant].value == "acme");
  CHECK(event.headers[1 - tenant].name == "created_at");
  CHECK(event.headers[1 - tenant].value.data() == nullptr);
}

TEST_CASE("a bytea payload is the bytes that it stands for") {
  Batch batch;
  CHECK(mapped({}, row("\\x00ff6869"), batch, 17).payload == std::string("\0\xffhi", 4));
  CHECK(mapped({}, row("\\x"), batch, 17).payload.empty());
  CHECK_FALSE(mapped({}, row("\\x"), batch, 17).is_tombstone());
  const auto& odd = mapped({}, row("\\x0"), batch, 17);
  CHECK(odd.disposition == Disposition::reject);
  CHECK(odd.reject_code == "payload_unreadable");
  CHECK(mapped({}, row("\\x00"), batch, 25).payload == "\\x00");  // text stays text
}

TEST_CASE("a NULL payload is rejected, or a tombstone when that is configured") {
  SlotSourceConfig config;
  Batch batch;
  CHECK(mapped(config, row({}), batch).reject_code == "payload_null");
  config.null_payload_is_tombstone = true;
  const auto& event = mapped(config, row({}), batch);
  CHECK(event.disposition == Disposition::deliver);
  CHECK(event.is_tombstone());
  CHECK_FALSE(mapped(config, row(""), batch).is_tombstone());
}

TEST_CASE("a row without an id is no event") {
  auto values = row("{}");
  Batch batch;
  for (const std::string_view id : {std::string_view{}, std::string_view{""}}) {
    values[0].text = id;
    const auto& event = mapped({}, values, batch);
    CHECK(event.disposition == Disposition::reject);
    CHECK(event.reject_code == "id_missing");
  }
}

TEST_CASE("an event's texts live in the batch, not in the row") {
  std::string payload = "{\"n\": 1}";
  Batch batch;
  const auto& event = mapped({}, row(payload), batch);
  payload.assign(payload.size(), 'x');
  CHECK(event.payload == "{\"n\": 1}");
}

TEST_CASE("a role's column that is not there is named with what there is") {
  SlotSourceConfig config;
  config.columns.payload = "body";
  auto made = OutboxMapping::make(config, "public.outbox", columns());
  REQUIRE_FALSE(made);
  CHECK(made.error().kind == ErrorKind::fatal);
  CHECK(made.error().code == "outbox_column_missing");
  CHECK(made.error().message.find("body") != std::string::npos);
  CHECK(made.error().message.find("aggregateid") != std::string::npos);
  config = {};
  config.header_columns = {"trace"};
  CHECK_FALSE(OutboxMapping::make(config, "public.outbox", columns()));
}

TEST_CASE("patterns name tables") {
  CHECK(matches_any({"public.outbox"}, "public.outbox"));
  CHECK_FALSE(matches_any({"public.outbox"}, "public.outbox2"));
  CHECK(matches_any({"tenant_*.outbox"}, "tenant_7.outbox"));
  CHECK_FALSE(matches_any({"tenant_*.outbox"}, "tenant_.outbox.x"));
  CHECK(matches_any({"a.b", "public.out?ox*"}, "public.outbox_2024"));
  CHECK(matches_any({"*.outbox"}, "x.outbox"));
  CHECK_FALSE(matches_any({"*outbox"}, "x.outbox2"));
  CHECK_FALSE(matches_any({"p*.x"}, "public.outbox.x"));
  CHECK_FALSE(matches_any({"PUBLIC.outbox"}, "public.outbox"));
  CHECK_FALSE(matches_any({}, "public.outbox"));
}
