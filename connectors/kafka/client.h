// One client of librdkafka with what the relay needs to know of it, and the factory that configures all of them alike.
// Not thread-safe; librdkafka's own threads touch only what is marked so.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connectors/kafka/config.h"
#include "connectors/kafka/errors.h"
#include "connectors/kafka/kafka_handles.h"
#include "connectors/kafka/log_throttle.h"
#include "connectors/kafka/oidc_token.h"
#include "relay/base/log.h"

namespace relay::connectors::kafka {

enum class ClientRole {
  producer,  // transactional
  observer,  // metadata, settings, high watermarks: isolation.level=read_uncommitted
  reader,    // of the progress topic: read_committed
};

// How events are put together in record batches. The others are for finding the event that a broker refuses, since it
// refuses whole record batches.
enum class Grouping {
  usual,
  small,  // an event of more than kSmallRecordBatch has a record batch of its own
  alone,  // every event has: slow
};
constexpr int kSmallRecordBatch = 16 * 1024;

// How a producer differs from the usual one.
struct ProducerTuning {
  int number = 0;              // n of the transactional id
  Grouping grouping = Grouping::usual;
  int record_batch_bytes = 0;  // when usual; 0: librdkafka's default or the operator's
};

// A failed delivery, by the number that was given to produce().
struct FailedMessage {
  std::uintptr_t tag = 0;
  int code = 0;
};

class Client {
 public:
  rd_kafka_t* get() const { return handle_.get(); }

  // Waits for `wait` at most for events of the library and takes all that are there. `on_failed` gets delivery failures.
  void serve(Millis wait, const std::function<void(const FailedMessage&)>& on_failed = {});

  // The last thing that went wrong with a connection since the last time this was asked; authentication and TLS go first.
  std::optional<Failure> take_connection_failure();

  int end_txn_requests() const { return watch_->end_txn_requests.load(std::memory_order_relaxed); }
  // Records that the library calls delivered although no broker said where: it concludes that from the success of a later
  // record batch of the same partition. A broker that knows nothing of this producer in a partition accepts a later batch
  // without the first, which it refused while it was not the leader yet, as right after a topic is created (seen: two
  // events less in a committed transaction). So such a transaction must not be committed.
  int presumed_deliveries() const { return watch_->presumed_deliveries.load(std::memory_order_relaxed); }
  void forget_presumed_deliveries() { watch_->presumed_deliveries.store(0, std::memory_order_relaxed); }
  void forget_end_txn_requests() { watch_->end_txn_requests.store(0, std::memory_order_relaxed); }

 private:
  friend class ClientFactory;
  // What librdkafka's threads reach through the client's opaque pointer; lives longer than the handle.
  struct Watch {
    Logger log;
    LogThrottle throttle;
    std::atomic<int> end_txn_requests{0};
    std::atomic<int> presumed_deliveries{0};
    std::optional<OidcToken> oidc;
  };
  Client(std::unique_ptr<Watch> watch, ClientHandle handle);
  void note(const Failure& failure);

  static void log_line(const rd_kafka_t* rk, int level, const char* facility, const char* text);
  static void refresh_token(rd_kafka_t* rk, const char* config, void* opaque);
  static rd_kafka_resp_err_t on_new(rd_kafka_t* rk, const rd_kafka_conf_t* conf, void* watch, char* why, size_t size);
  static rd_kafka_resp_err_t on_request(rd_kafka_t* rk, int socket, const char* broker, int32_t broker_id, int16_t api_key,
                                        int16_t api_version, int32_t correlation, size_t size, void* watch);

  static rd_kafka_resp_err_t on_acknowledgement(rd_kafka_t* rk, rd_kafka_message_t* message, void* watch);

  std::unique_ptr<Watch> watch_;
  ClientHandle handle_;
  QueueHandle events_;
  std::optional<Failure> connection_failure_;
};

class ClientFactory {
 public:
  ClientFactory(const KafkaSinkConfig& config, Logger log) : config_(config), log_(std::move(log)) {}

  // Reads the files of librdkafka_files each time. Connects in the background.
  Result<std::unique_ptr<Client>> make(ClientRole role, const ProducerTuning& tuning = {}) const;

  const KafkaSinkConfig& config() const { return config_; }
  Scene scene(std::string topic = {}) const { return {config_, connected_, std::move(topic)}; }
  void note_connected() { connected_ = true; }  // from now on authentication and TLS failures are transient

 private:
  using Options = std::vector<std::pair<std::string, Secret>>;
  Result<Options> effective_options() const;
  Error creation_error(const Failure& failure) const;
  Result<void> set_options(rd_kafka_conf_t* conf, const Options& options) const;
  Result<void> set_role(rd_kafka_conf_t* conf, ClientRole role, const ProducerTuning& tuning) const;
  Result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) const;

  const KafkaSinkConfig& config_;
  Logger log_;
  bool connected_ = false;
};

}  // namespace relay::connectors::kafka
