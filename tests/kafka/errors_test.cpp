#include "connectors/kafka/errors.h"

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

using namespace relay;
using namespace relay::connectors::kafka;

namespace {

KafkaSinkConfig config() {
  KafkaSinkConfig c;
  c.pipeline = "orders";
  c.bootstrap_servers = "b:9092";
  return c;
}

Error translated(int code, bool connected_before = false, std::string topic = {}) {
  const auto c = config();
  return translate({code, "why"}, "doing something", {c, connected_before, std::move(topic)});
}

}  // namespace

TEST_CASE("authentication and TLS failures are fatal only before the first success") {
  for (const int code : {RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED}) {
    CHECK(translated(code).kind == ErrorKind::fatal);
    CHECK(translated(code).code == "auth_failed");
    CHECK(translated(code, true).kind == ErrorKind::transient);
  }
  CHECK(translated(RD_KAFKA_RESP_ERR__SSL).kind == ErrorKind::fatal);
  CHECK(translated(RD_KAFKA_RESP_ERR__SSL).code == "tls_failed");
  CHECK(translated(RD_KAFKA_RESP_ERR__SSL, true).kind == ErrorKind::transient);
}

TEST_CASE("brokers that cannot be reached are waited for") {
  for (const int code : {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
                         RD_KAFKA_RESP_ERR__TIMED_OUT}) {
    CHECK(translated(code).kind == ErrorKind::transient);
    CHECK(translated(code).code == "broker_unreachable");
    CHECK(translated(code).hint.find("b:9092") != std::string::npos);
  }
}

TEST_CASE("whoever has an old epoch was fenced") {
  for (const int code : {RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                         RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED}) {
    CHECK(is_fencing(code));
    CHECK(translated(code).kind == ErrorKind::fenced);
  }
  CHECK_FALSE(is_fencing(RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID));
}

TEST_CASE("what is not allowed is fatal and comes with the line that allows it") {
  const auto id = translated(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, true);
  CHECK(id.kind == ErrorKind::fatal);
  CHECK(id.code == "transactional_id_unauthorized");
  CHECK(id.hint.find("--transactional-id 'outbox-relay.orders.'") != std::string::npos);
  const auto topic = translated(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, true, "t1");
  CHECK(topic.kind == ErrorKind::fatal);
  CHECK(topic.code == "topic_unauthorized");
  CHECK(topic.hint.find("--topic 't1'") != std::string::npos);
  const auto progress = translated(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, true, "outbox-relay.progress.orders");
  CHECK(progress.hint.find("--operation Read") != std::string::npos);
  CHECK(translated(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED).code == "cluster_unauthorized");
}

TEST_CASE("brokers without transactions are refused") {
  CHECK(translated(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE).kind == ErrorKind::fatal);
  CHECK(translated(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE).code == "transactions_unsupported");
}

TEST_CASE("a purged message is never blamed") {
  for (const int code : {RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT}) {
    CHECK(is_collateral(code));
    CHECK_FALSE(blames_record_batch(code));
    CHECK(translated(code).kind != ErrorKind::rejected);
  }
}

TEST_CASE("size is what rejects an event") {
  CHECK(blames_record_batch(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE));
  CHECK(translated(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE).kind == ErrorKind::rejected);
  CHECK(translated(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE).code == "message_too_large");
}

TEST_CASE("anything unknown is worth another try") {
  CHECK(translated(RD_KAFKA_RESP_ERR_UNKNOWN).kind == ErrorKind::transient);
  CHECK(translated(12345).kind == ErrorKind::transient);
}

TEST_CASE("a message says what was attempted, on what and why") {
  const auto e = translated(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, true, "t1");
  CHECK(e.message == "doing something (topic t1): why");
  CHECK(e.code == "not_enough_replicas");
}
