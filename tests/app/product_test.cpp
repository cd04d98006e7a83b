// The real connectors: what the documentation shows must load, and the generated page must be that of this program.
// RELAY_UPDATE_REFERENCE=1 writes it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "relay/app/configuration.h"
#include "relay/app/root_spec.h"

using namespace relay;
using namespace relay::app;

namespace {

std::string said(const std::string& yaml) {
  const config::Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "DATABASE_URL") return "postgresql://relay@127.0.0.1/shop";
    return std::nullopt;
  };
  const auto& catalog = connectors::catalog();
  return report(
      check_configuration(config::load_texts({{"f.yaml", yaml}}, root_spec(catalog), environment), {"f.yaml"}, catalog)
          .diagnostics);
}

}  // namespace

TEST_CASE("the ten lines for a first user load without a diagnostic") {
  CHECK(said("database: {url: \"${DATABASE_URL}\"}\n"
             "pipelines:\n"
             "  orders:\n"
             "    source: {type: slot, create: [publication, slot], snapshot: initial, outbox: {tables: "
             "[public.outbox]}}\n"
             "    policy: none\n"
             "    sink: {type: kafka, bootstrap_servers: \"kafka:9092\"}\n") == "");
}

TEST_CASE("the full Kafka pipeline of the documentation loads without a diagnostic") {
  CHECK(said(R"(version: 1
database:
  url: ${DATABASE_URL}
  password_file: /etc/outbox-relay/secrets/db-password
pipelines:
  orders_kafka:
    source:
      type: slot
      slot: outbox_relay_orders_kafka
      publication: outbox_relay
      create: [slot]
      snapshot: {mode: initial, order_by: created_at}
      outbox:
        tables: [public.outbox]
        columns: {id: id, aggregate_type: aggregatetype, aggregate_id: aggregateid, event_type: type, payload: payload}
    policy: none
    format: {type: payload}
    sink:
      type: kafka
      bootstrap_servers: kafka-0:9093,kafka-1:9093
      transactional_id_prefix: shop-prod
      topic: outbox.event.{aggregate_type}
      key: "{aggregate_id}"
      headers: [id, type, sequence]
      create_topics: {partitions: 4, replication_factor: 3}
      librdkafka: {security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, sasl.username: relay}
      librdkafka_files: {sasl.password: /etc/outbox-relay/secrets/kafka-password}
    on_reject: halt
)") == "");
}

TEST_CASE("the generated example loads without a diagnostic") {
  CHECK(said(config::example_config(root_spec(connectors::catalog()))) == "");
}

namespace {

void check_page(const std::string& page, const std::string& name, const std::string& command) {
  const std::string file = RELAY_SOURCE_DIR "/config/" + name;
  if (std::getenv("RELAY_UPDATE_REFERENCE") != nullptr) std::ofstream(file) << page;
  std::ostringstream written;
  written << std::ifstream(file).rdbuf();
  CHECK_MESSAGE(written.str() == page, "write it again: outbox-relay " << command << " > config/" << name);
}

}  // namespace

TEST_CASE("config/reference.md and policy-reference.md are what this program generates") {
  check_page(config::reference_page(root_spec(connectors::catalog())), "reference.md", "config reference");
  check_page(config::reference_page(policy::policy_spec()), "policy-reference.md", "config reference --policy");
}

TEST_CASE("the example policy loads without a diagnostic") {
  const auto loaded = policy::load_policy(RELAY_SOURCE_DIR "/config/policies/analytics.yaml", config::process_environment());
  CHECK_MESSAGE(loaded.diagnostics.empty(), (loaded.diagnostics.empty() ? "" : loaded.diagnostics[0].text()));
}
