// The command lines that mend a finding or a refusal, with this configuration's names filled in. Pure.
#pragma once

#include <string>
#include <string_view>

#include "connectors/kafka/config.h"

namespace relay::connectors::kafka {

// "kafka-acls.sh ... --add --allow-principal P --operation A --operation B --topic T"
std::string acl_for_topic(const KafkaSinkConfig& config, std::string_view topic, bool prefixed = false);
std::string acl_for_progress_topic(const KafkaSinkConfig& config, bool may_create);
std::string acl_for_transactional_id(const KafkaSinkConfig& config);
std::string acl_for_cluster(const KafkaSinkConfig& config, std::string_view operation);

// "kafka-topics.sh ... --create --topic T --partitions N ..."
std::string create_topic_command(const KafkaSinkConfig& config, std::string_view topic);
std::string create_progress_topic_command(const KafkaSinkConfig& config);
std::string alter_progress_topic_command(const KafkaSinkConfig& config);

}  // namespace relay::connectors::kafka
