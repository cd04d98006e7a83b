// What `doctor` asks of the brokers: everything that `run` will need. Changes nothing and fences nobody: no producer is
// initialised, no topic created.
#pragma once

#include "connectors/kafka/config.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/model/finding.h"

namespace relay::connectors::kafka {

Findings examine_brokers(const KafkaSinkConfig& config, Clock& clock, const Logger& log);

}  // namespace relay::connectors::kafka
