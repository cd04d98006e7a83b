// librdkafka's codes and the broker's, turned into the relay's errors. The one place where that is decided. Pure.
#pragma once

#include <string>
#include <string_view>

#include "connectors/kafka/config.h"
#include "relay/base/result.h"

namespace relay::connectors::kafka {

// What librdkafka said: an rd_kafka_resp_err_t as a number, and its sentence. The sentences name brokers, topics and
// partitions, never payloads.
struct Failure {
  int code = 0;
  std::string text;
};

// What a good error needs to know besides the code.
struct Scene {
  const KafkaSinkConfig& config;
  bool connected_before = false;  // once it worked, authentication and TLS failures are worth another try
  std::string topic;              // set when the failure is about one
};

// `attempted` begins the message: "committing a transaction".
Error translate(const Failure& failure, std::string_view attempted, const Scene& scene);

// Another producer with our transactional id has taken over.
bool is_fencing(int code);
// Delivery reports that name a record batch, of which one event alone may be at fault.
bool blames_record_batch(int code);
// Delivery reports of messages that were given up with their transaction: nothing is wrong with the message itself.
bool is_collateral(int code);
// No topic of that name, or no such partition any more.
bool is_unknown_topic(int code);
bool is_authentication(int code);
bool is_tls(int code);

}  // namespace relay::connectors::kafka
