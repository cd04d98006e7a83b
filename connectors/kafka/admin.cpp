#include "connectors/kafka/admin.h"

#include <algorithm>

namespace relay::connectors::kafka {
namespace {

constexpr int kRequestTimeoutMs = 15'000;

Failure failure_of(rd_kafka_resp_err_t code, const char* text = nullptr) {
  if (!code) return {};
  return {code, text ? text : rd_kafka_err2str(code)};
}

TopicState state_of(const rd_kafka_metadata_topic_t& topic) {
  TopicState state;
  state.partitions = topic.partition_cnt;
  if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    state.kind = TopicState::Kind::missing;
  } else if (topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || (!topic.err && topic.partition_cnt == 0)) {
    state.kind = TopicState::Kind::not_ready;
  } else if (topic.err) {
    state.failure = failure_of(topic.err);
  } else {
    state.kind = TopicState::Kind::exists;
    state.replicas = topic.partitions[0].replica_cnt;
    for (int i = 0; i < topic.partition_cnt; ++i) {
      state.replicas = std::min(state.replicas, topic.partitions[i].replica_cnt);
      if (topic.partitions[i].leader < 0) state.kind = TopicState::Kind::not_ready;
    }
  }
  return state;
}

AdminOptionsHandle admin_options(rd_kafka_t* rk, rd_kafka_admin_op_t operation) {
  AdminOptionsHandle options(rd_kafka_AdminOptions_new(rk, operation));
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kRequestTimeoutMs, why, sizeof why);
  if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS)
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), kRequestTimeoutMs, why, sizeof why);
  return options;
}

Failure first_topic_failure(const rd_kafka_CreateTopics_result_t* result) {
  std::size_t count = 0;
  const auto** topics = rd_kafka_CreateTopics_result_topics(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(topics[i]);
    if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      return failure_of(code, rd_kafka_topic_result_error_string(topics[i]));
  }
  return {};
}

AdminRequest::Answer settings_of(const rd_kafka_DescribeConfigs_result_t* result) {
  AdminRequest::Answer answer;
  std::size_t resources = 0;
  const auto** list = rd_kafka_DescribeConfigs_result_resources(result, &resources);
  if (resources == 0) return answer;
  answer.failure =
      failure_of(rd_kafka_ConfigResource_error(list[0]), rd_kafka_ConfigResource_error_string(list[0]));
  std::size_t count = 0;
  const auto** entries = rd_kafka_ConfigResource_configs(list[0], &count);
  for (std::size_t i = 0; i < count; ++i)
    if (const auto* value = rd_kafka_ConfigEntry_value(entries[i]))
      answer.settings.emplace(rd_kafka_ConfigEntry_name(entries[i]), value);
  return answer;
}

}  // namespace

TopicState look_up_topic(const Client& client, const std::string& topic, Millis timeout) {
  const TopicHandle handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  return look_up_topic(client, handle.get(), timeout);
}

TopicState look_up_topic(const Client& client, rd_kafka_topic_t* topic, Millis timeout) {
  TopicState state;
  if (!topic) {
    state.failure = failure_of(rd_kafka_last_error());
    return state;
  }
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client.get(), 0, topic, &raw, static_cast<int>(timeout.count()));
  const MetadataHandle metadata(raw);
  if (code || metadata->topic_cnt != 1) {
    state.failure = failure_of(code ? code : RD_KAFKA_RESP_ERR__TRANSPORT);
    return state;
  }
  return state_of(metadata->topics[0]);
}

std::optional<BrokerList> list_brokers(const Client& client, Millis timeout, Failure* why) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client.get(), 0, nullptr, &raw, static_cast<int>(timeout.count()));
  const MetadataHandle metadata(raw);
  if (code) {
    *why = failure_of(code);
    return std::nullopt;
  }
  return BrokerList{metadata->broker_cnt, metadata->broker_cnt > 0 ? metadata->brokers[0].id : -1};
}

AdminRequest::AdminRequest(const Client& client) : queue_(rd_kafka_queue_new(client.get())) {}

AdminRequest AdminRequest::create_topic(const Client& client, const std::string& topic, int partitions,
                                        int replication_factor, const Settings& settings) {
  AdminRequest request(client);
  char why[512] = "";
  const NewTopicHandle wanted(rd_kafka_NewTopic_new(topic.c_str(), partitions, replication_factor, why, sizeof why));
  if (!wanted) {
    request.at_once_ = Answer{{RD_KAFKA_RESP_ERR__INVALID_ARG, why}, {}};
    return request;
  }
  for (const auto& [name, value] : settings) rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  const auto options = admin_options(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_NewTopic_t* topics[] = {wanted.get()};
  rd_kafka_CreateTopics(client.get(), topics, 1, options.get(), request.queue_.get());
  return request;
}

AdminRequest AdminRequest::describe(const Client& client, int resource_type, const std::string& name) {
  AdminRequest request(client);
  const ConfigResourceHandle resource(
      rd_kafka_ConfigResource_new(static_cast<rd_kafka_ResourceType_t>(resource_type), name.c_str()));
  const auto options = admin_options(client.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  rd_kafka_DescribeConfigs(client.get(), resources, 1, options.get(), request.queue_.get());
  return request;
}

AdminRequest AdminRequest::describe_topic(const Client& client, const std::string& topic) {
  return describe(client, RD_KAFKA_RESOURCE_TOPIC, topic);
}

AdminRequest AdminRequest::describe_broker(const Client& client, int broker) {
  return describe(client, RD_KAFKA_RESOURCE_BROKER, std::to_string(broker));
}

std::optional<AdminRequest::Answer> AdminRequest::step(Millis wait) {
  if (at_once_) return std::exchange(at_once_, std::nullopt);
  const EventHandle event(rd_kafka_queue_poll(queue_.get(), static_cast<int>(wait.count())));
  if (!event) return std::nullopt;
  if (const auto code = rd_kafka_event_error(event.get()))
    return Answer{failure_of(code, rd_kafka_event_error_string(event.get())), {}};
  if (const auto* created = rd_kafka_event_CreateTopics_result(event.get()))
    return Answer{first_topic_failure(created), {}};
  if (const auto* described = rd_kafka_event_DescribeConfigs_result(event.get())) return settings_of(described);
  return std::nullopt;
}

}  // namespace relay::connectors::kafka
