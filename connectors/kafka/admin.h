// The few questions and requests beside producing: is there such a topic, what are its settings, create it. Requests are
// started and then asked for in slices, so that nobody waits longer than he wants to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/kafka/client.h"

namespace relay::connectors::kafka {

struct TopicState {
  enum class Kind {
    exists,
    missing,
    not_ready,  // just created, or a partition has no leader at the moment
    failed,     // `failure` says why: not authorised, illegal name, no answer in time ...
  };
  Kind kind = Kind::failed;
  int partitions = 0;
  int replicas = 0;  // of the partition with the fewest
  Failure failure;
};

// Asks a broker about one topic, without creating it. Waits for `timeout` at most; an answer that comes later is lost, so
// do not ask with less than a second.
TopicState look_up_topic(const Client& client, rd_kafka_topic_t* topic, Millis timeout);
TopicState look_up_topic(const Client& client, const std::string& topic, Millis timeout);

struct BrokerList {
  int brokers = 0;
  int controller = -1;
};
// Who is there; empty when nobody answers in time.
std::optional<BrokerList> list_brokers(const Client& client, Millis timeout, Failure* why);

using Settings = std::vector<std::pair<std::string, std::string>>;

// A request on its way. Destroying it forgets the answer.
class AdminRequest {
 public:
  static AdminRequest create_topic(const Client& client, const std::string& topic, int partitions, int replication_factor,
                                   const Settings& settings);
  static AdminRequest describe_topic(const Client& client, const std::string& topic);
  static AdminRequest describe_broker(const Client& client, int broker);

  struct Answer {
    Failure failure;                              // code 0: it worked
    std::map<std::string, std::string> settings;  // describe_*
  };
  // The answer, if it comes within `wait`. Once.
  std::optional<Answer> step(Millis wait);

 private:
  explicit AdminRequest(const Client& client);
  static AdminRequest describe(const Client& client, int resource_type, const std::string& name);

  QueueHandle queue_;
  std::optional<Answer> at_once_;  // the request could not even be made
};

}  // namespace relay::connectors::kafka
