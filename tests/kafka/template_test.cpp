#include "connectors/kafka/template.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::connectors::kafka;

namespace {

Event order_event() {
  Event e;
  e.id = "e-1";
  e.aggregate_type = "order";
  e.aggregate_id = "17";
  e.event_type = "OrderPlaced";
  e.source_table = "public.outbox";
  return e;
}

std::string rendered(std::string_view text, const Event& event) {
  const auto parsed = Template::parse(text, "orders");
  REQUIRE_FALSE(parsed.problem);
  std::string out;
  REQUIRE(parsed.value.render(event, out));
  return out;
}

}  // namespace

TEST_CASE("a template puts the values of its roles between its text") {
  CHECK(rendered("outbox.event.{aggregate_type}", order_event()) == "outbox.event.order");
  CHECK(rendered("{aggregate_type}-{aggregate_id}/{event_type}:{id}@{table}", order_event()) ==
        "order-17/OrderPlaced:e-1@public.outbox");
}

TEST_CASE("the pipeline's name is known when the template is parsed") {
  const auto parsed = Template::parse("x.{pipeline}.y", "orders");
  REQUIRE_FALSE(parsed.problem);
  CHECK(parsed.value.is_constant());
  CHECK(parsed.value.constant() == "x.orders.y");
}

TEST_CASE("doubled braces are braces") {
  CHECK(rendered("{{{id}}}", order_event()) == "{e-1}");
  CHECK(Template::parse("{{id}}", "p").value.constant() == "{id}");
}

TEST_CASE("a NULL role gives no text, an empty one gives an empty text") {
  auto e = order_event();
  e.aggregate_id = {};
  std::string out;
  CHECK_FALSE(Template::parse("{aggregate_id}", "p").value.render(e, out));
  e.aggregate_id = std::string_view("", 0);
  CHECK(rendered("<{aggregate_id}>", e) == "<>");
}

TEST_CASE("a template that is one role only lets the caller use the event's own view") {
  CHECK(Template::parse("{aggregate_id}", "p").value.sole_role() == Role::aggregate_id);
  CHECK_FALSE(Template::parse("{aggregate_id}.", "p").value.sole_role());
  CHECK_FALSE(Template::parse(".{aggregate_id}", "p").value.sole_role());
  CHECK_FALSE(Template::parse("{aggregate_id}{id}", "p").value.sole_role());
  CHECK_FALSE(Template::parse("constant", "p").value.sole_role());
}

TEST_CASE("an unknown role is a problem with a suggestion") {
  const auto parsed = Template::parse("a.{agregate_type}", "p");
  REQUIRE(parsed.problem);
  CHECK(parsed.problem->message.find("{agregate_type}") != std::string::npos);
  CHECK(parsed.problem->hint.find("{aggregate_type}") != std::string::npos);
}

TEST_CASE("unbalanced braces are problems") {
  CHECK(Template::parse("a.{id", "p").problem);
  CHECK(Template::parse("a}.b", "p").problem);
  CHECK(Template::parse("a.{}", "p").problem);
}
