#include "connectors/kafka/commands.h"

#include "connectors/kafka/progress_topic_rules.h"

namespace relay::connectors::kafka {
namespace {

std::string script(const KafkaSinkConfig& c, std::string_view name) {
  return std::string(name) + " --bootstrap-server " + c.bootstrap_servers;
}

std::string acl(const KafkaSinkConfig& c) {
  return script(c, "kafka-acls.sh") + " --add --allow-principal '" + c.principal() + "'";
}

}  // namespace

std::string acl_for_topic(const KafkaSinkConfig& c, std::string_view topic, bool prefixed) {
  auto line = acl(c) + " --operation Write --operation Describe --operation DescribeConfigs";
  if (c.create_topics) line += " --operation Create";
  line += " --topic '" + std::string(topic) + "'";
  return prefixed ? line + " --resource-pattern-type prefixed" : line;
}

std::string acl_for_progress_topic(const KafkaSinkConfig& c, bool may_create) {
  auto line = acl(c) + " --operation Read --operation Write --operation Describe --operation DescribeConfigs";
  if (may_create) line += " --operation Create";
  return line + " --topic '" + c.progress_topic() + "'";
}

std::string acl_for_transactional_id(const KafkaSinkConfig& c) {
  return acl(c) + " --operation Write --operation Describe --transactional-id '" + c.transactional_id_prefix +
         "outbox-relay." + c.pipeline + ".' --resource-pattern-type prefixed";
}

std::string acl_for_cluster(const KafkaSinkConfig& c, std::string_view operation) {
  return acl(c) + " --operation " + std::string(operation) + " --cluster";
}

std::string create_topic_command(const KafkaSinkConfig& c, std::string_view topic) {
  auto line = script(c, "kafka-topics.sh") + " --create --topic '" + std::string(topic) + "'";
  const auto wanted = c.create_topics.value_or(CreateTopics{});
  line += " --partitions " + std::to_string(wanted.partitions);
  if (wanted.replication_factor > 0) line += " --replication-factor " + std::to_string(wanted.replication_factor);
  for (const auto& [name, value] : wanted.config) line += " --config " + name + "=" + value;
  return line;
}

std::string create_progress_topic_command(const KafkaSinkConfig& c) {
  auto line = script(c, "kafka-topics.sh") + " --create --topic '" + c.progress_topic() + "' --partitions 1";
  if (c.create_topics && c.create_topics->replication_factor > 0)
    line += " --replication-factor " + std::to_string(c.create_topics->replication_factor);
  for (const auto& setting : kProgressTopicSettings)
    line += " --config " + std::string(setting.name) + "=" + std::string(setting.value);
  return line;
}

std::string alter_progress_topic_command(const KafkaSinkConfig& c) {
  auto line = script(c, "kafka-configs.sh") + " --alter --entity-type topics --entity-name '" + c.progress_topic() +
              "' --add-config ";
  std::string settings;
  for (const auto& setting : kProgressTopicSettings)
    settings += (settings.empty() ? "" : ",") + std::string(setting.name) + "=" + std::string(setting.value);
  return line + settings;
}

}  // namespace relay::connectors::kafka
