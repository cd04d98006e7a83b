#include "relay/migrate/plan.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::migrate;

namespace {

std::vector<std::string> names(const Request& request) {
  const auto made = plan(request);
  REQUIRE(made);
  std::vector<std::string> out;
  for (const auto& m : *made) out.push_back(m.name);
  return out;
}

Capture capture(std::string_view text, std::string_view into = "") {
  const auto made = parse_capture(text, into);
  REQUIRE(made);
  return *made;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("without any wish the plan is the outbox") { CHECK(names({}) == Names{"outbox_relay_reader", "outbox_relay_outbox"}); }

TEST_CASE("a captured table brings what it needs, and messages need no table") {
  Request request;
  request.captures = {capture("public.orders")};
  CHECK(names(request) == Names{"outbox_relay_reader", "outbox_relay_outbox", "outbox_relay_capture", "outbox_relay_capture_public_orders"});
  request.captures = {capture("public.orders", "messages")};
  CHECK(names(request) == Names{"outbox_relay_capture", "outbox_relay_capture_public_orders"});
}

TEST_CASE("parts come in the order in which they depend on each other, whatever order they were asked in") {
  Request request;
  request.parts = {"publication", "messages", "store", "outbox"};
  request.existing_outbox = "public.outbox";
  request.relay_role = "relay";
  CHECK(names(request) == Names{"outbox_relay_store", "outbox_relay_reader", "outbox_relay_outbox", "outbox_relay_messages",
                                "outbox_relay_columns_public_outbox", "outbox_relay_index_public_outbox",
                                "outbox_relay_publication", "outbox_relay_roles"});
}

TEST_CASE("two tables whose names have the same words get two names, the same ones in every run") {
  Request request;
  request.captures = {capture("public.a_b", "messages"), capture("\"public\".\"A b\"", "messages")};
  const auto both = names(request);
  CHECK(both[1] == "outbox_relay_capture_public_a_b");
  CHECK(both[2].starts_with("outbox_relay_capture_public_a_b_"));
  request.captures.erase(request.captures.begin());
  CHECK(names(request) == Names{"outbox_relay_capture", both[2]});
}

TEST_CASE("every migration is one transaction with a lock_timeout, and has a way back") {
  Request request;
  request.parts = {"store", "outbox", "messages", "capture", "publication"};
  request.captures = {capture("public.orders")};
  request.existing_outbox = "public.outbox";
  request.app_role = "app";
  const auto made = plan(request);
  REQUIRE(made);
  for (const auto& m : *made)
    for (const auto* text : {&m.up, &m.down}) {
      CAPTURE(m.name);
      CHECK(text->find("\nBEGIN;\nSET LOCAL lock_timeout = ") != std::string::npos);
      CHECK(text->ends_with("\nCOMMIT;\n"));
      CHECK(text->starts_with("-- "));
    }
}

TEST_CASE("what cannot be planned is refused with what to write") {
  Request request;
  request.parts = {"outbux"};
  CHECK(plan(request).error().code == "migration_invalid");
  request.parts = {"columns"};
  CHECK(plan(request).error().hint == "--outbox public.outbox");
  request.parts = {"roles"};
  CHECK(plan(request).error().hint.find("--relay-role") != std::string::npos);
}

TEST_CASE("a captured table is a name with its schema, and options as JSON after it") {
  CHECK(capture("public.orders").options == "{}");
  CHECK(capture("public.orders {\"aggregate_type\": \"order\"}").options == "{\"aggregate_type\":\"order\"}");
  CHECK(capture("\"a{b\".\"c d\" {}").table == "\"a{b\".\"c d\"");
  CHECK(capture("public.orders", "messages").options == "{\"into\":\"messages\"}");
  CHECK(capture("public.orders {\"into\":\"outbox\"}", "messages").options == "{\"into\":\"outbox\"}");
  CHECK_FALSE(parse_capture("orders", ""));
  CHECK_FALSE(parse_capture("public.orders {broken", ""));
  CHECK_FALSE(parse_capture("public.orders {\"into\": 7}", ""));
}
