// What this folder brings into the program: the sink `kafka`.
#include "connectors/component.h"
#include "connectors/kafka/config.h"
#include "connectors/kafka/doctor.h"
#include "connectors/kafka/kafka_sink.h"

namespace relay::connectors::kafka {
namespace {

using namespace relay::config;

std::vector<FieldSpec> topic_fields() {
  return {
      text("topic", "Topic of an event: a template of {aggregate_type}, {aggregate_id}, {event_type}, {id}, {table} and "
                    "{pipeline}. A value that gives no legal topic name makes a rejected event.")
          .defaults("outbox.event.{aggregate_type}"),
      text("key", "Key of the record, a template like `topic`. Events with the same key keep their order within one topic. "
                  "A NULL in it gives a record without key.")
          .defaults("\"{aggregate_id}\""),
      list("headers", "Headers that every record gets. Each costs CPU; additional columns of the outbox are added to them.",
           text("header", "Name of a header.").one_of(known_headers()))
          .defaults("[id, type, sequence]"),
      map("extra_headers", "Further headers: name and template.", text("template", "A template like `topic`."))
          .for_example("{origin: shop}"),
      object("create_topics", "Creates topics that do not exist yet. Without it an unknown topic is refused.",
             {integer("partitions", "Number of partitions of a new topic.").defaults("1").between(1, 100'000),
              integer("replication_factor", "Replication factor of a new topic, the progress topic included; the broker's "
                                            "default if it is not given.")
                  .between(1, 1'000),
              map("config", "Settings of a new topic.", text("value", "Value of a topic setting."))
                  .for_example("{min.insync.replicas: \"2\"}")})
          .for_example("{partitions: 4, replication_factor: 3}"),
      text("unknown_topic", "What happens to events whose topic does not exist or may not be written: the pipeline halts, or "
                            "the events are rejected and go where on_reject says.")
          .one_of({"halt", "reject"})
          .defaults("halt"),
      text("on_partition_change", "What happens when a topic gets more partitions: new events of a key may then be in "
                                  "another partition than earlier ones.")
          .one_of({"warn", "halt"})
          .defaults("warn"),
  };
}

std::vector<FieldSpec> connection_fields() {
  return {
      text("bootstrap_servers", "Brokers to ask first, as host:port with commas between.")
          .require()
          .for_example("kafka-0:9093,kafka-1:9093")
          .matching("[^\\s,]+(\\s*,\\s*[^\\s,]+)*", "host:port, more of them after commas"),
      text("transactional_id_prefix", "Put in front of the transactional id outbox-relay.<pipeline>.<n>. Give each "
                                      "installation its own: otherwise a copy of the database for testing fences production.")
          .for_example("shop-prod-")
          .matching("[A-Za-z0-9._-]{1,100}", "1 to 100 of the characters a-z A-Z 0-9 . _ -"),
      duration("transaction_timeout", "After this the broker aborts a transaction whose relay is gone; until then consumers "
                                      "of its topics wait. It is also how long a broker may take to acknowledge a record.")
          .defaults("10s")
          .between(2'000, 900'000),
      map("librdkafka", "Options of librdkafka: TLS, SASL, compression, sizes. Those that exactly-once delivery depends on "
                        "belong to the relay and are refused.",
          secret("value", "Value of the option."))
          .for_example("{security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, sasl.username: relay}"),
      map("librdkafka_files", "Options of librdkafka whose value is in a file. The file is read at each connection; when it "
                              "changes, the producer is created anew after the current commit.",
          path("file", "Path of the file."))
          .for_example("{sasl.password: /etc/outbox-relay/secrets/kafka-password}"),
  };
}

std::vector<FieldSpec> all_fields() {
  auto fields = connection_fields();
  for (auto& field : topic_fields()) fields.push_back(std::move(field));
  return fields;
}

KafkaSinkConfig config_of(const BuildContext& context) {
  return read_config(context.pipeline_config["sink"], context.pipeline_config, context.pipeline);
}

Result<std::unique_ptr<Sink>> build(const BuildContext& context) {
  return std::make_unique<KafkaSink>(config_of(context), context.clock, context.log);
}

Findings doctor(const BuildContext& context) { return examine_brokers(config_of(context), context.clock, context.log); }

}  // namespace

Component component() {
  SinkSpec sink;
  sink.name = "kafka";
  sink.summary = "Apache Kafka, exactly once: events and progress in one transaction.";
  sink.stores_progress = true;
  sink.fields = all_fields();
  sink.validate = &validate_config;
  sink.build = &build;
  sink.doctor = &doctor;
  Component c;
  c.name = "kafka";
  c.sinks.push_back(std::move(sink));
  return c;
}

}  // namespace relay::connectors::kafka
