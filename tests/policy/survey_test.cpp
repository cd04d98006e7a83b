// What people see of a policy: previews, reports, lint; and samples from files.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "policy_rig.h"
#include "relay/policy/lint.h"
#include "relay/policy/preview.h"
#include "relay/policy/report.h"
#include "relay/policy/sample_file.h"
#include "relay/policy/survey.h"

using namespace relay;
using namespace relay::policy;
using namespace relay::policy::test;

namespace {

bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

struct Sample {
  void add(std::string_view payload, std::string_view event_type = "placed") {
    auto& event = batch.add(payload.size());
    event.id = "id-1";
    event.aggregate_type = "order";
    event.aggregate_id = "17";
    event.event_type = event_type;
    event.source_table = "public.outbox";
    event.payload = payload.data() == nullptr ? payload : batch.arena().copy(payload);
  }
  Batch batch;
};

PolicyText text_of(const std::string& rules) {
  auto loaded = load(policy_of(rules));
  REQUIRE_MESSAGE(!loaded.has_errors(), said(loaded.diagnostics));
  return loaded.policy;
}

std::string linted(const PolicyText& policy, const Survey* sample) {
  std::string out;
  for (const auto& f : lint(policy, sample)) out += f.code + " " + f.subject + ": " + f.message + "\n";
  return out;
}

std::string file_with(const std::string& text) {
  const auto path = (std::filesystem::temp_directory_path() / ("relay-sample-" + std::to_string(::getpid()))).string();
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

}  // namespace

TEST_CASE("a preview shows each field before and after, and why") {
  const std::string rules =
      "$.id: keep\n$.customer.email: {action: email}\n$.customer.name: drop\n$.items[*].sku: keep";
  Rig rig(policy_of(rules), {true});
  rig.scrub(
      R"({"id":1.50,"customer":{"email":"bob@example.com","name":"Bob"},"items":[{"sku":"A\u001b[2J"}],"new":[]})");
  const auto shown = preview(text_of(rules), rig.batch.events()[0], {false, 120});
  CHECK(has(shown, "order placed of public.outbox  leaves\n"));
  CHECK(has(shown, "1.50"));
  CHECK(has(shown, "\"***@example.com\""));
  CHECK(has(shown, "drop\n"));
  CHECK(has(shown, "$.new"));
  CHECK(has(shown, "no rule\n"));
  CHECK(has(shown, "keep ($.items[*].sku)"));
  CHECK(!has(shown, "\x1b"));
  CHECK(has(preview(text_of(rules), rig.batch.events()[0], {true, 120}), "\x1b[31m-"));
}

TEST_CASE("a preview says why an event does not leave") {
  Rig rig(policy_of("$.a: keep"), {true});
  rig.scrub("no JSON");
  CHECK(has(preview(text_of("$.a: keep"), rig.batch.events()[0], {}), "rejected (policy_payload_not_json)"));
  auto& event = rig.event("{}");
  event.event_type = "other";
  rig.apply();
  CHECK(has(preview(text_of("$.a: keep"), rig.batch.events()[0], {}), "blocked: no block of the policy is for it"));
}

TEST_CASE("a survey counts fields with their rule, types, values and finds") {
  const auto policy = text_of(
      "$.customer: {action: keep, class: personal}\n$.customer.email: {action: hash, key: k1}\n$.items[*].sku: keep");
  Sample sample;
  sample.add(R"({"customer":{"email":"a@b.c","note":"to a@b.c"},"items":[{"sku":1},{"sku":"x"}],"other":null})");
  sample.add(R"({"customer":{"email":"a@b.c","note":null}})");
  sample.add("no JSON");
  sample.add({});
  sample.add("{}", "cancelled");
  const auto seen = survey(policy, sample.batch);
  REQUIRE(seen.kinds.size() == 2);
  CHECK(seen.kinds[0].events == 4);
  CHECK(seen.kinds[0].unreadable == 1);
  CHECK(seen.kinds[1].block == nullptr);
  const auto field = [&](const std::string& name) -> const FieldSeen& {
    for (const auto& f : seen.kinds[0].fields)
      if (f.name == name) return f;
    FAIL("no field " << name);
    return seen.kinds[0].fields[0];
  };
  CHECK(field("$.customer.email").count == 2);
  CHECK(field("$.customer.email").distinct.size() == 1);
  CHECK(field("$.customer.email").rule->action == ActionKind::hash);
  CHECK(field("$.customer.note").rule_name == "$.customer");
  CHECK(field("$.customer.note").hits.at("email") == 1);
  CHECK(field("$.customer.note").nulls == 1);
  CHECK(field("$.items[*].sku").count == 2);
  CHECK(field("$.items[*].sku").types == std::set<char>{'d', 's'});
  CHECK(!field("$.other").leaves);
  CHECK(field("id").leaves);
}

TEST_CASE("a report names every field with class and action, and holds no value") {
  const auto policy = text_of("$.email: {action: hash, key: k1, class: personal}\n$.n: keep");
  Sample sample;
  sample.add(R"({"email":"bob@example.com","n":1,"a|b":"secret"})");
  sample.add(R"({})", "other");
  sample.add(R"({})", "o|ther");
  const auto seen = survey(policy, sample.batch);
  const auto text = report(seen, "policy.yaml", ReportForm::text);
  CHECK(has(text, "order placed of public.outbox: 1 events, events at line 4 of the policy"));
  CHECK(has(text, "order other of public.outbox: 1 events, blocked"));
  CHECK(has(text, "email 1"));
  const auto markdown = report(seen, "policy.yaml", ReportForm::markdown);
  CHECK(has(markdown, "| $.email | hash | personal | $.email | 1 | text | 1 | email 1 |"));
  CHECK(has(markdown, "o\\|ther"));
  const auto json = report(seen, "policy.yaml", ReportForm::json);
  CHECK(has(json, "\"field\": \"$.email\""));
  for (const auto& out : {text, markdown, json}) CHECK((!has(out, "bob@") && !has(out, "secret")));
}

TEST_CASE("a report holds no member's name that may be a value, unless the policy names it") {
  const auto policy = text_of("$['odd name']: keep\n$.by_mail: keep");
  Sample sample;
  sample.add(R"({"odd name":1,"by_mail":{"bob@example.com":1,"eve@example.com":{"n":1}}})");
  const auto text = report(survey(policy, sample.batch), "policy.yaml", ReportForm::text);
  CHECK(has(text, "$['odd name']"));
  CHECK(has(text, "$.by_mail['?'] "));
  CHECK(has(text, "$.by_mail['?'].n"));
  CHECK(!has(text, "@example"));
}

TEST_CASE("lint finds rules and blocks that never count, and keys without a rule") {
  const auto policy =
      text_of("$.a: drop\n$.a.b: keep\n$.c: keep\n$.c.d: {action: hash, key: k1}\n$.e[*]: \"null\"\n$.e[0].x: keep");
  const auto out = linted(policy, nullptr);
  CHECK(has(out, "rule_shadowed events[0].payload.$.a.b: it never counts: $.a (drop) decides before it"));
  CHECK(has(out, "key_unused keys.k2"));
  CHECK(!has(out, "$.c.d"));
  const auto blocks = load(
      "version: 1\nevents:\n  - {match: {aggregate_type: \"*\", event_type: \"*\"}, key: keep, payload: {}}\n"
      "  - {match: {aggregate_type: a, event_type: b}, key: keep, payload: {}}\n");
  CHECK(has(linted(blocks.policy, nullptr),
            "block_shadowed events[1]: no event comes here: events[0] matches all of them"));
}

TEST_CASE("lint with a sample finds rules without values, low entropy and finds in what is kept") {
  const auto policy =
      text_of("$.country: {action: hash, key: k1}\n$.user: {action: hash, key: k2}\n$.note: keep\n$.gone: keep");
  Sample sample;
  for (int i = 0; i < 200; ++i)
    sample.add("{\"country\":\"" + std::string(i % 3 ? "DE" : "FR") + "\",\"user\":" + std::to_string(i) +
               ",\"note\":\"mail a@b.c\"}");
  const auto seen = survey(policy, sample.batch);
  const auto out = linted(policy, &seen);
  CHECK(has(out, "low_entropy order placed of public.outbox: $.country: 2 different values in 200"));
  CHECK(!has(out, "$.user"));
  CHECK(
      has(out, "detected_in_kept order placed of public.outbox: $.note: 200 of 200 values hold something like: email"));
  CHECK(has(out, "rule_never_matched events[0].payload.$.gone"));
  CHECK(!has(out, "a@b.c"));
}

TEST_CASE("a sample file holds events of the file sink, or payloads, byte for byte") {
  const auto file = file_with(
      "{\"sequence\":1,\"id\":\"i\",\"aggregate_type\":\"order\",\"aggregate_id\":\"17\",\"event_type\":\"placed\","
      "\"payload\":{\"payload\":[1.50, "
      "{\"x\":\"}\\\"\"}]},\"headers\":{\"a\":\"b\",\"c\":null},\"commit_lsn\":null}\n\n"
      "{\"n\": 1.0}\n"
      "{\"id\":\"i\",\"aggregate_type\":\"order\",\"aggregate_id\":null,\"event_type\":\"gone\",\"payload\":null}\n");
  Batch batch;
  REQUIRE(read_sample(file, {"order", "changed", "public.t"}, 10, batch).has_value());
  REQUIRE(batch.events().size() == 3);
  const auto& whole = batch.events()[0];
  CHECK(whole.payload == "{\"payload\":[1.50, {\"x\":\"}\\\"\"}]}");
  CHECK(whole.event_type == "placed");
  REQUIRE(whole.headers.size() == 2);
  CHECK(whole.headers[1].value.data() == nullptr);
  CHECK(batch.events()[1].payload == "{\"n\": 1.0}");
  CHECK(batch.events()[1].event_type == "changed");
  CHECK(batch.events()[2].is_tombstone());
  CHECK(batch.events()[2].aggregate_id.data() == nullptr);
  Batch one;
  REQUIRE(read_sample(file, {}, 1, one).has_value());
  CHECK(one.events().size() == 1);
  file_with("[1]\n");
  CHECK(read_sample(file, {}, 10, batch).error().message.find("line 1 is no JSON object") != std::string::npos);
  std::filesystem::remove(file);
  CHECK(read_sample(file, {}, 10, batch).error().code == "sample_unreadable");
}
