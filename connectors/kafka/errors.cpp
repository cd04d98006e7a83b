#include "connectors/kafka/errors.h"

#include "connectors/kafka/commands.h"
#include "connectors/kafka/kafka_handles.h"

namespace relay::connectors::kafka {
namespace {

struct Verdict {
  ErrorKind kind;
  std::string code;
  std::string hint;
};

ErrorKind unless_connected(const Scene& scene) {
  return scene.connected_before ? ErrorKind::transient : ErrorKind::fatal;
}

std::string topic_or_all(const Scene& scene) { return scene.topic.empty() ? std::string("*") : scene.topic; }

Verdict authorization_verdict(int code, const Scene& s) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return {ErrorKind::fatal, "transactional_id_unauthorized", acl_for_transactional_id(s.config)};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return {ErrorKind::fatal, "topic_unauthorized",
              s.topic == s.config.progress_topic() ? acl_for_progress_topic(s.config, true)
                                                   : acl_for_topic(s.config, topic_or_all(s))};
    default:
      return {ErrorKind::fatal, "cluster_unauthorized", acl_for_cluster(s.config, "IdempotentWrite")};
  }
}

// Up to 2.6.0 librdkafka sends a nonce that brokers from Kafka 4.0 on refuse as a wrong password.
std::string authentication_hint(const Scene& s) {
  constexpr int kScramMended = 0x02060100;
  const auto mechanism = s.config.option("sasl.mechanism") + s.config.option("sasl.mechanisms");
  if (mechanism.starts_with("SCRAM") && rd_kafka_version() < kScramMended)
    return "check sasl.username and the password; if they are right and the brokers run Kafka 4.0 or newer: SCRAM of "
           "librdkafka " + std::string(rd_kafka_version_str()) +
           " does not work with them, use librdkafka 2.6.1 or newer, or PLAIN over TLS, or client certificates";
  return "check sasl.mechanism, sasl.username and the password of the sink";
}

Verdict connection_verdict(int code, const Scene& s) {
  if (is_authentication(code)) return {unless_connected(s), "auth_failed", authentication_hint(s)};
  if (is_tls(code))
    return {unless_connected(s), "tls_failed",
            "check security.protocol, ssl.ca.location and the broker's certificate: "
            "openssl s_client -connect <broker> -CAfile <ca>"};
  return {ErrorKind::transient, "broker_unreachable",
          "check bootstrap_servers (" + s.config.bootstrap_servers + "), and security.protocol if the brokers use TLS or SASL"};
}

Verdict setup_verdict(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return {ErrorKind::fatal, "transactions_unsupported", "use brokers with Kafka 2.5 or newer, or another sink"};
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
      return {ErrorKind::fatal, "transaction_timeout_invalid",
              "lower transaction_timeout below the broker's transaction.max.timeout.ms"};
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return {ErrorKind::fatal, "kafka_config_invalid", "change the setting that the message names"};
    default: return {ErrorKind::transient, "kafka_error", ""};
  }
}

Verdict delivery_verdict(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
      return {ErrorKind::rejected, "message_too_large",
              "raise the topic's max.message.bytes and the sink's librdkafka: {message.max.bytes: ...}"};
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return {ErrorKind::fatal, "timestamp_refused",
              "mend the clock of the relay's machine or the broker's, or raise the topic's message.timestamp.before.max.ms and "
              "message.timestamp.after.max.ms"};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return {ErrorKind::rejected, "record_refused", "a compacted topic takes no event without key"};
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return {ErrorKind::rejected, "topic_illegal", std::string("change the template `topic` or the value in the row")};
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR__ISR_INSUFF:
      return {ErrorKind::transient, "not_enough_replicas", "bring brokers back: fewer than min.insync.replicas are in sync"};
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return {ErrorKind::transient, "delivery_timed_out", "look at the brokers' health; transaction_timeout is the limit"};
    default: return setup_verdict(code);
  }
}

Verdict verdict_of(int code, const Scene& s) {
  if (is_fencing(code))
    return {ErrorKind::fenced, "producer_fenced",
            "another relay uses transactional id " + s.config.transactional_id(0) + "; set transactional_id_prefix if that "
            "is none of this installation"};
  if (is_unknown_topic(code))
    return {ErrorKind::transient, "topic_unknown",
            s.topic.empty() ? std::string() : create_topic_command(s.config, s.topic)};
  switch (code) {
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return authorization_verdict(code, s);
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE: return connection_verdict(code, s);
    default: break;
  }
  if (is_authentication(code) || is_tls(code)) return connection_verdict(code, s);
  return delivery_verdict(code);
}

}  // namespace

bool is_fencing(int code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH || code == RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED;
}

bool blames_record_batch(int code) {
  return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
         code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

bool is_collateral(int code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
         code == RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER || code == RD_KAFKA_RESP_ERR__DESTROY ||
         code == RD_KAFKA_RESP_ERR__INCONSISTENT;
}

bool is_unknown_topic(int code) {
  return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

bool is_authentication(int code) {
  return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM || code == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

bool is_tls(int code) { return code == RD_KAFKA_RESP_ERR__SSL; }

Error translate(const Failure& failure, std::string_view attempted, const Scene& scene) {
  auto verdict = verdict_of(failure.code, scene);
  Error e;
  e.kind = verdict.kind;
  e.code = std::move(verdict.code);
  e.hint = std::move(verdict.hint);
  e.message = std::string(attempted);
  if (!scene.topic.empty()) e.message += " (topic " + scene.topic + ")";
  e.message += ": " + (failure.text.empty() ? rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(failure.code))
                                            : failure.text);
  return e;
}

}  // namespace relay::connectors::kafka
