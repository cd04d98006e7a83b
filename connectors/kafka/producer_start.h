// Takes a producer into service: creates it and calls init_transactions until an earlier instance is fenced and its last
// transaction decided. Calls are short and are repeated, since init over an open transaction takes a while and against
// brokers that are down for ever.
#pragma once

#include <memory>
#include <optional>

#include "connectors/kafka/deadline.h"
#include "connectors/kafka/producer.h"

namespace relay::connectors::kafka {

class ProducerStart {
 public:
  ProducerStart(ClientFactory& clients, const ProducerTuning& tuning, Deadline deadline)
      : clients_(clients), tuning_(tuning), deadline_(std::move(deadline)) {}

  // Moves on for `wait` at most; the outcome, once. Kind cancelled when told to stop.
  std::optional<Result<std::unique_ptr<Producer>>> step(Millis wait);

 private:
  tl::unexpected<Error> refused(const Failure& failure) const;

  ClientFactory& clients_;
  const ProducerTuning tuning_;
  Deadline deadline_;
  std::unique_ptr<Producer> producer_;
  Failure last_failure_;
};

}  // namespace relay::connectors::kafka
