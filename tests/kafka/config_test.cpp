#include "connectors/kafka/config.h"

#include <doctest/doctest.h>

#include "connectors/component.h"
#include "connectors/kafka/commands.h"
#include "connectors/kafka/option_rules.h"
#include "relay/config/load.h"

using namespace relay;
using namespace relay::connectors::kafka;

namespace relay::connectors::kafka {
Component component();
}

namespace {

config::FieldSpec root_spec() {
  auto dead_letter = config::object("dead_letter", "Dead letters.", {config::text("topic", "Topic.")});
  return config::object(
      "root", "A pipeline.",
      {config::object("sink", "The sink.", component().sinks.at(0).fields),
       config::object("on_reject", "What happens to rejected events.", {std::move(dead_letter)})});
}

struct Checked {
  config::Loaded loaded;
  bool ok() const { return !loaded.has_errors(); }
  // All diagnostics in one text.
  std::string text() const {
    std::string all;
    for (const auto& d : loaded.diagnostics) all += d.text() + "\n";
    return all;
  }
};

Checked check(const std::string& yaml) {
  Checked c{config::load_texts({{"test.yaml", yaml}}, root_spec(), [](const std::string&) { return std::nullopt; })};
  if (c.ok()) component().sinks.at(0).validate(c.loaded.root["sink"], c.loaded.root, c.loaded.diagnostics);
  return c;
}

KafkaSinkConfig read(const std::string& yaml) {
  const auto c = check(yaml);
  REQUIRE_MESSAGE(c.ok(), c.text());
  return read_config(c.loaded.root["sink"], c.loaded.root, "orders");
}

const std::string kServers = "sink:\n  bootstrap_servers: b:9092\n";

}  // namespace

TEST_CASE("servers are enough: everything else has a default") {
  const auto c = read(kServers);
  CHECK(c.bootstrap_servers == "b:9092");
  CHECK(c.transactional_id(0) == "outbox-relay.orders.0");
  CHECK(c.progress_topic() == "outbox-relay.progress.orders");
  CHECK(c.topic.constant_prefix() == "outbox.event.");
  CHECK(c.key.sole_role() == Role::aggregate_id);
  REQUIRE(c.headers.size() == 3);
  CHECK(c.headers[0].name == "id");
  CHECK(c.headers[1].name == "type");
  CHECK(c.headers[2].value == HeaderValue::sequence);
  CHECK_FALSE(c.create_topics);
  CHECK(c.unknown_topic == UnknownTopic::halt);
  CHECK(c.transaction_timeout == Millis{10'000});
}

TEST_CASE("all fields arrive in the sink's configuration") {
  const auto c = read(kServers + R"(  transactional_id_prefix: shop-
  topic: "{pipeline}.{table}"
  key: "{event_type}-{id}"
  headers: [committed_at, source]
  extra_headers: {origin: "shop {aggregate_type}"}
  create_topics: {partitions: 4, replication_factor: 3, config: {min.insync.replicas: "2"}}
  unknown_topic: reject
  on_partition_change: halt
  transaction_timeout: 30s
  librdkafka: {security.protocol: SASL_SSL, sasl.username: relay, linger.ms: 5}
  librdkafka_files: {sasl.password: /etc/pw}
on_reject: {dead_letter: {topic: dead}}
)");
  CHECK(c.transactional_id(1) == "shop-outbox-relay.orders.1");
  CHECK(c.headers.size() == 3);
  CHECK(c.headers[2].name == "origin");
  REQUIRE(c.create_topics);
  CHECK(c.create_topics->partitions == 4);
  CHECK(c.create_topics->replication_factor == 3);
  CHECK(c.create_topics->config.at(0).second == "2");
  CHECK(c.unknown_topic == UnknownTopic::reject);
  CHECK(c.on_partition_change == OnPartitionChange::halt);
  CHECK(c.transaction_timeout == Millis{30'000});
  CHECK(c.option("linger.ms") == "5");
  CHECK(c.principal() == "User:relay");
  CHECK(c.option_files.at(0).first == "sasl.password");
  CHECK(c.dead_letter_topic == "dead");
}

TEST_CASE("options that exactly-once delivery depends on are refused with the reason and the place") {
  for (const std::string option :
       {"enable.idempotence", "acks", "transactional.id", "isolation.level", "partitioner", "allow.auto.create.topics",
        "socket.nagle.disable", "transaction.timeout.ms", "message.timeout.ms", "max.in.flight", "plugin.library.paths",
        "bootstrap.servers", "group.id", "queue.buffering.max.messages", "debug"}) {
    CAPTURE(option);
    const auto c = check(kServers + "  librdkafka: {" + option + ": x}\n");
    CHECK_FALSE(c.ok());
    CHECK(c.text().find("test.yaml:3:") != std::string::npos);
    CHECK(c.text().find("belongs to the relay") != std::string::npos);
    CHECK_FALSE(check(kServers + "  librdkafka_files: {" + option + ": /x}\n").ok());
  }
}

TEST_CASE("a mistyped option is named together with the one that was meant") {
  const auto c = check(kServers + "  librdkafka: {compresion.codec: lz4}\n");
  CHECK_FALSE(c.ok());
  CHECK(c.text().find("compression.codec") != std::string::npos);
}

TEST_CASE("a value that librdkafka refuses is an error; a secret one is not shown") {
  CHECK_FALSE(check(kServers + "  librdkafka: {compression.codec: brotli}\n").ok());
  CHECK_FALSE(check(kServers + "  librdkafka: {linger.ms: soon}\n").ok());
  const auto problem = check_option("ssl.key.pem", "hunter2");
  if (problem) CHECK(problem->message.find("hunter2") == std::string::npos);
}

TEST_CASE("every option that a password or a certificate needs is let through, in the file and by file") {
  for (const std::string option : {"sasl.password", "ssl.key.password", "ssl.keystore.password"})
    CHECK_FALSE(check_option_name(option));
  for (const std::string option : {"security.protocol", "sasl.mechanism", "ssl.ca.location", "ssl.certificate.location"})
    CHECK_FALSE(check_option(option, option == "security.protocol" ? "ssl" : "PLAIN"));
}

TEST_CASE("an option is given once: in the file or by file") {
  const auto c = check(kServers + "  librdkafka: {sasl.password: a}\n  librdkafka_files: {sasl.password: /b}\n");
  CHECK_FALSE(c.ok());
}

TEST_CASE("OAUTHBEARER needs a source of tokens") {
  CHECK_FALSE(check(kServers + "  librdkafka: {sasl.mechanism: OAUTHBEARER}\n").ok());
  CHECK_FALSE(check(kServers + "  librdkafka: {sasl.mechanism: OAUTHBEARER, sasl.oauthbearer.method: oidc}\n").ok());
  const auto c = check(kServers +
                       "  librdkafka: {sasl.mechanism: OAUTHBEARER, sasl.oauthbearer.method: oidc, "
                       "sasl.oauthbearer.client.id: relay, sasl.oauthbearer.token.endpoint.url: \"https://idp/token\"}\n"
                       "  librdkafka_files: {sasl.oauthbearer.client.secret: /s}\n");
  CHECK_MESSAGE(c.ok(), c.text());
}

TEST_CASE("templates are checked: unknown roles and names that no topic can have") {
  CHECK_FALSE(check(kServers + "  topic: \"{aggregate}\"\n").ok());
  CHECK_FALSE(check(kServers + "  topic: \"no topic\"\n").ok());
  CHECK_FALSE(check(kServers + "  key: \"{\"\n").ok());
  CHECK_FALSE(check(kServers + "  extra_headers: {a: \"{b}\"}\n").ok());
  CHECK_FALSE(check(kServers + "on_reject: {dead_letter: {topic: \"a b\"}}\n").ok());
}

TEST_CASE("all problems of a sink are reported at once") {
  const auto c = check(kServers + "  topic: \"{aggregate}\"\n  key: \"{\"\n  librdkafka: {acks: 1, foo.bar: x}\n");
  CHECK(c.loaded.diagnostics.size() == 4);
}

TEST_CASE("command lines carry this configuration's names") {
  const auto c = read(kServers + "  transactional_id_prefix: shop-\n  librdkafka: {sasl.username: relay}\n");
  CHECK(acl_for_transactional_id(c) ==
        "kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal 'User:relay' --operation Write --operation "
        "Describe --transactional-id 'shop-outbox-relay.orders.' --resource-pattern-type prefixed");
  CHECK(acl_for_progress_topic(c, true).find("--operation Create") != std::string::npos);
  CHECK(create_topic_command(c, "t").find("--create --topic 't' --partitions 1") != std::string::npos);
  CHECK(create_progress_topic_command(c).find("--config cleanup.policy=compact") != std::string::npos);
}

TEST_CASE("the catalog says that this sink stores progress and is inside the boundary") {
  const auto c = component();
  REQUIRE(c.sinks.size() == 1);
  CHECK(c.sinks[0].name == "kafka");
  CHECK(c.sinks[0].stores_progress);
  CHECK_FALSE(c.sinks[0].outside_boundary);
}
