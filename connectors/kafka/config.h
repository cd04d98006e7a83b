// The validated configuration of `sink: {type: kafka}` as plain values; made by component.cpp from config::Value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kafka/template.h"
#include "relay/base/clock.h"
#include "relay/base/secret.h"
#include "relay/config/diagnostic.h"
#include "relay/config/value.h"

namespace relay::connectors::kafka {

// What a header is filled with. `text` is a template; the others are about the event's place in the database.
enum class HeaderValue { text, sequence, commit_lsn, committed_at, transaction_id };

struct HeaderSpec {
  std::string name;
  HeaderValue value = HeaderValue::text;
  Template text;
};

struct CreateTopics {
  int partitions = 1;
  int replication_factor = -1;  // -1: the broker's default
  std::vector<std::pair<std::string, std::string>> config;
};

enum class UnknownTopic { halt, reject };
enum class OnPartitionChange { warn, halt };

struct KafkaSinkConfig {
  std::string pipeline;
  std::string bootstrap_servers;
  std::string transactional_id_prefix;
  Template topic;
  Template key;
  std::vector<HeaderSpec> headers;
  std::optional<CreateTopics> create_topics;
  UnknownTopic unknown_topic = UnknownTopic::halt;
  OnPartitionChange on_partition_change = OnPartitionChange::warn;
  Millis transaction_timeout{10'000};
  std::string dead_letter_topic;  // empty: dead letters do not go to a topic
  std::vector<std::pair<std::string, Secret>> options;            // librdkafka's own, passed through
  std::vector<std::pair<std::string, std::string>> option_files;  // option -> file that holds its value

  std::string progress_topic() const { return "outbox-relay.progress." + pipeline; }
  std::string transactional_id(int n) const {
    return transactional_id_prefix + "outbox-relay." + pipeline + "." + std::to_string(n);
  }
  // An option's value as it is in `options`, or empty. Values in files are not looked at.
  std::string option(std::string_view name) const;
  // As access control lists name us: from sasl.username, otherwise a placeholder that a person replaces.
  std::string principal() const;
};

// The headers that `headers` may list.
std::vector<std::string> known_headers();

// The configuration of a sink's Value that validate_config() found nothing wrong with.
KafkaSinkConfig read_config(const config::Value& sink, const config::Value& pipeline, const std::string& name);

// Everything that the field specifications cannot express. Pure: no file is read, nothing is connected to.
void validate_config(const config::Value& sink, const config::Value& pipeline, config::Diagnostics& out);

}  // namespace relay::connectors::kafka
