// Whole events: fields around the payload, blocked and rejected ones, what is counted and logged.
#include "relay/policy/policy_transform.h"

#include "policy_rig.h"

using namespace relay;
using namespace relay::policy;
using namespace relay::policy::test;

namespace {

std::string yaml(const std::string& events) {
  return "version: 1\nkeys: {k1: {environment: K1}}\nevents:\n" + events;
}

const std::string kOrders = yaml(R"(
  - match: {aggregate_type: order, event_type: [placed, paid]}
    id: {action: hash, key: k1, join: id}
    key: {action: hash, key: k1, join: order}
    headers:
      trace: keep
      user: {action: mask, keep_first: 1}
      note: "null"
      gone: drop
    payload:
      $.order_id: {action: hash, key: k1, join: order, class: personal}
      $.total: {action: keep, class: financial}
  - match: {table: [public.customers, public.outbox], aggregate_type: "*", event_type: "*"}
    key: drop
    payload: {}
)");

}  // namespace

TEST_CASE("id, key, headers and payload of an event leave as the block says") {
  Rig rig(kOrders);
  auto& event = rig.event(R"({"order_id":17,"total":9.50,"email":"x"})");
  const Header headers[] = {{"trace", "t"}, {"user", "bob"},  {"note", "n"},
                            {"gone", "g"},  {"unknown", "u"}, {"user", {}}};
  event.headers = headers;
  rig.apply();
  CHECK(event.disposition == Disposition::deliver);
  CHECK(event.id.substr(0, 3) == "k1:");
  CHECK(event.payload == "{\"order_id\":\"" + std::string(event.aggregate_id) + "\",\"total\":9.50}");
  REQUIRE(event.headers.size() == 5);
  CHECK(event.headers[0].value == "t");
  CHECK(event.headers[1].value == "b**");
  CHECK(event.headers[2].name == "note");
  CHECK(event.headers[2].value.data() == nullptr);
  CHECK(event.headers[3].value.data() == nullptr);  // NULL stays NULL
  CHECK(event.headers[4].name == "ce_dataclassification");
  CHECK(event.headers[4].value == "financial,personal");
  CHECK(event.unscrubbed == nullptr);
}

TEST_CASE("the first block that matches counts, and a key may be dropped") {
  Rig rig(kOrders);
  auto& event = rig.event(R"({"order_id":17})");
  event.event_type = "cancelled";
  rig.apply();
  CHECK(event.disposition == Disposition::deliver);
  CHECK(event.payload == "{}");
  CHECK(event.aggregate_id.data() == nullptr);
  CHECK(event.event_type == "cancelled");
  CHECK(event.id == "id-1");
}

TEST_CASE("an event that no block matches is blocked, empty, counted and told once") {
  Rig rig(kOrders);
  for (int i = 0; i < 3; ++i) {
    auto& event = rig.event(R"({"order_id":17})");
    event.source_table = "public.secrets";
    event.event_type = "cancelled";
    rig.apply();
    CHECK(event.disposition == Disposition::blocked);
    CHECK(event.left_out());
    CHECK(event.payload.data() == nullptr);
    CHECK(event.id.empty());
    CHECK(event.aggregate_id.data() == nullptr);
  }
  const auto statistics = rig.transform->statistics();
  CHECK(statistics.blocked == 3);
  REQUIRE(statistics.events.size() == 1);
  CHECK(statistics.events[0].name == "order cancelled of public.secrets");
  CHECK(statistics.events[0].count == 3);
  CHECK(rig.log->text ==
        "policy_event_blocked: events that no block of the policy matches do not leave events=order cancelled of "
        "public.secrets\n");
}

TEST_CASE("a tombstone passes when its block matches, and is blocked otherwise") {
  Rig rig(kOrders);
  auto& event = rig.event({});
  rig.apply();
  CHECK(event.disposition == Disposition::deliver);
  CHECK(event.is_tombstone());
  CHECK(event.aggregate_id.substr(0, 3) == "k1:");
}

TEST_CASE("a rejected event carries nothing but its scrubbed id and types, its place and the reason") {
  Rig rig(kOrders);
  auto& event = rig.event(R"({"order_id":17,"order_id":18})");
  const Header headers[] = {{"trace", "t"}};
  event.headers = headers;
  rig.apply();
  CHECK(event.disposition == Disposition::reject);
  CHECK(event.reject_code == "policy_payload_duplicate_key");
  CHECK(event.id.substr(0, 3) == "k1:");
  CHECK(event.event_type == "placed");
  CHECK(event.payload.data() == nullptr);
  CHECK(event.headers.empty());
  CHECK(event.aggregate_id.data() == nullptr);
  CHECK(rig.transform->statistics().rejected == 1);
}

TEST_CASE("an event that the source rejected is scrubbed too and keeps the source's reason") {
  Rig rig(kOrders);
  auto& event = rig.event(R"({"order_id":17,"email":"x"})");
  event.disposition = Disposition::reject;
  event.reject_code = "id_missing";
  rig.apply();
  CHECK(event.reject_code == "id_missing");
  CHECK(event.payload.find("email") == std::string_view::npos);

  auto& broken = rig.event("no JSON");
  broken.disposition = Disposition::reject;
  broken.reject_code = "message_unreadable";
  rig.apply();
  CHECK(broken.reject_code == "message_unreadable");
  CHECK(broken.payload.data() == nullptr);

  auto& unknown = rig.event("secret");
  unknown.disposition = Disposition::reject;
  unknown.aggregate_type = {};
  unknown.source_table = "public.other";
  rig.apply();
  CHECK(unknown.disposition == Disposition::reject);
  CHECK(unknown.payload.data() == nullptr);
  CHECK(unknown.id.empty());
}

TEST_CASE("the original is kept for the dead letter table, and only when it is wanted") {
  Rig rig(kOrders, {true});
  const auto& event = rig.scrub(R"({"order_id":17,"email":"x"})");
  REQUIRE(event.unscrubbed != nullptr);
  CHECK(event.unscrubbed->payload == R"({"order_id":17,"email":"x"})");
  CHECK(event.unscrubbed->id == "id-1");
  CHECK(event.unscrubbed->aggregate_id == "17");
}

TEST_CASE("a field that no rule names is counted by its path and told once") {
  Rig rig(policy_of("$.customer.email: keep\n$.items[*].sku: keep"));
  rig.scrub(R"({"customer":{"email":1,"phone2":2},"items":[{"sku":1,"note":2},{"note":3}],"new_column":{"x":1}})");
  rig.scrub(R"({"customer":{"email":1,"phone2":2},"new_column":{"x":1}})");
  const auto statistics = rig.transform->statistics();
  REQUIRE(statistics.fields.size() == 3);
  CHECK(statistics.fields[0].name == "$.customer.phone2");
  CHECK(statistics.fields[0].count == 2);
  CHECK(statistics.fields[1].name == "$.items[*].note");
  CHECK(statistics.fields[1].count == 2);
  CHECK(statistics.fields[2].name == "$.new_column");
  CHECK(rig.log->text ==
        "policy_field_unnamed: fields that no rule of the policy names do not leave "
        "fields=$.customer.phone2, $.items[*].note, $.new_column\n");
}

TEST_CASE("a field that is only searched is counted when nothing of it leaves") {
  Rig rig(policy_of("$.a: keep\n$..ssn: keep\n$..tax: drop"));
  CHECK(rig.payload(R"({"a":1,"b":{"ssn":1},"c":{"tax":1},"tax":2,"\u0064":3})") == R"({"a":1,"b":{"ssn":1}})");
  const auto statistics = rig.transform->statistics();
  REQUIRE(statistics.fields.size() == 2);
  CHECK(statistics.fields[0].name == "$.c");
  CHECK(statistics.fields[1].name == "$.d");
}

TEST_CASE("names that may be values are never shown, and the number of names is bounded") {
  Rig rig(policy_of("$.a: keep\n$.by_mail.x: keep"));
  rig.scrub(R"({"bob@example.com":1,"49170123456789":2,"a b":3,"K1234567":4,"by_mail":{"Ü":1}})");
  CHECK(rig.log->text.find("bob") == std::string::npos);
  CHECK(rig.log->text.find("1234") == std::string::npos);
  CHECK(rig.transform->statistics().fields[0].name == "$.?");
  CHECK(rig.transform->statistics().fields[0].count == 4);
  std::string many = "{\"a\":1";
  for (int i = 0; i < 500; ++i) many += ",\"f" + std::to_string(i) + "\":1";
  rig.scrub(many + "}");
  const auto statistics = rig.transform->statistics();
  CHECK(statistics.fields.size() == Statistics::kNamesMax + 1);
  CHECK(statistics.fields.back().name == Statistics::kOthers);
  CHECK(statistics.fields.back().count > 300);
}

TEST_CASE("types that match does not name can be scrubbed as well") {
  Rig rig(yaml(R"(
  - match: {aggregate_type: "*"}
    aggregate_type: {action: replace, with: thing}
    event_type: {action: truncate, length: 3}
    key: {action: generalise, to: month}
    payload: {}
)"));
  auto& event = rig.event("{}");
  event.aggregate_id = "2024-05-17";
  rig.apply();
  CHECK(event.aggregate_type == "thing");
  CHECK(event.event_type == "pla");
  CHECK(event.aggregate_id == "2024-05");
  auto& wrong = rig.event("{}");
  rig.apply();
  CHECK(wrong.reject_code == "policy_wrong_type");
  CHECK(wrong.aggregate_type == "thing");
}
