#include "connectors/kafka/option_rules.h"

#include <array>
#include <utility>
#include <vector>

#include "connectors/kafka/kafka_handles.h"
#include "relay/config/suggest.h"

namespace relay::connectors::kafka {
namespace {

struct Owned {
  std::string_view name;
  std::string_view reason;
};

constexpr std::string_view kExactlyOnce = "exactly-once delivery depends on it";
constexpr std::string_view kMemory = "the size of a batch bounds the relay's memory";
constexpr std::string_view kConsumers = "the relay is no consumer group";

constexpr Owned kOwned[] = {
    {"bootstrap.servers", "it is the sink's field bootstrap_servers"},
    {"metadata.broker.list", "it is the sink's field bootstrap_servers"},
    {"transactional.id", "it is made of transactional_id_prefix and the pipeline's name"},
    {"transaction.timeout.ms", "it is the sink's field transaction_timeout"},
    {"message.timeout.ms", "it may not exceed transaction_timeout and is derived from it"},
    {"delivery.timeout.ms", "it may not exceed transaction_timeout and is derived from it"},
    {"enable.idempotence", kExactlyOnce},
    {"enable.gapless.guarantee", kExactlyOnce},
    {"acks", kExactlyOnce},
    {"request.required.acks", kExactlyOnce},
    {"isolation.level", kExactlyOnce},
    {"max.in.flight", kExactlyOnce},
    {"max.in.flight.requests.per.connection", kExactlyOnce},
    {"retries", kExactlyOnce},
    {"message.send.max.retries", kExactlyOnce},
    {"queuing.strategy", kExactlyOnce},
    {"delivery.report.only.error", kExactlyOnce},
    {"partitioner", "keys must go to the partitions where Java's clients put them (murmur2_random)"},
    {"allow.auto.create.topics", "topics are created by create_topics only"},
    {"socket.nagle.disable", "a transaction is many small requests in turn"},
    {"queue.buffering.max.messages", kMemory},
    {"queue.buffering.max.kbytes", kMemory},
    {"queued.max.messages.kbytes", kMemory},
    {"plugin.library.paths", "it would load foreign code into the relay"},
    {"statistics.interval.ms", "the relay has metrics of its own"},
    {"debug", "librdkafka's debug lines are not checked for what they show"},
    {"log.queue", "librdkafka's log lines go to the relay's log"},
    {"group.id", kConsumers},
    {"group.instance.id", kConsumers},
    {"enable.auto.commit", kConsumers},
    {"enable.auto.offset.store", kConsumers},
    {"enable.partition.eof", kConsumers},
    {"auto.offset.reset", kConsumers},
};

constexpr std::array<std::string_view, 6> kOidc = {
    "sasl.oauthbearer.method",     "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",      "sasl.oauthbearer.extensions", "sasl.oauthbearer.token.endpoint.url"};

const Owned* owned(std::string_view name) {
  for (const auto& o : kOwned)
    if (o.name == name) return &o;
  return nullptr;
}

template <typename Dump>
void add_names(Dump dump, std::vector<std::string>& names) {
  std::size_t count = 0;
  const char** pairs = dump(&count);
  for (std::size_t i = 0; i + 1 < count; i += 2) names.emplace_back(pairs[i]);
  rd_kafka_conf_dump_free(pairs, count);
}

// Every option that librdkafka knows and that we let through.
std::vector<std::string> allowed_names() {
  std::vector<std::string> all;
  const ConfHandle conf(rd_kafka_conf_new());
  const TopicConfHandle topic(rd_kafka_topic_conf_new());
  add_names([&](std::size_t* n) { return rd_kafka_conf_dump(conf.get(), n); }, all);
  add_names([&](std::size_t* n) { return rd_kafka_topic_conf_dump(topic.get(), n); }, all);
  for (const auto name : kOidc) all.emplace_back(name);
  std::vector<std::string> allowed;
  for (auto& name : all)
    if (!owned(name) && !name.ends_with("_cb") && name != "opaque") allowed.push_back(std::move(name));
  return allowed;
}

OptionProblem unknown(const std::string& name) {
  const auto near = config::nearest(name, allowed_names());
  return {"librdkafka has no option " + name, near ? "did you mean " + *near + "?"
                                                   : "its options are listed in librdkafka's CONFIGURATION.md"};
}

std::optional<OptionProblem> check_oidc(const std::string& name, const std::string& value) {
  if (name != "sasl.oauthbearer.method" || value == "oidc" || value == "default") return std::nullopt;
  return OptionProblem{"the value of " + name + " is neither default nor oidc", "write oidc"};
}

bool is_unset_only(const std::string& name) { return name.ends_with("_cb") || name == "opaque"; }

}  // namespace

bool is_oidc_option(std::string_view name) {
  for (const auto known : kOidc)
    if (known == name) return true;
  return false;
}

bool is_secret_option(std::string_view name) {
  for (const std::string_view part : {"password", "secret", ".pem", "oauthbearer.config", "private"})
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

std::optional<OptionProblem> check_option_name(const std::string& name) {
  if (const auto* o = owned(name))
    return OptionProblem{"option " + name + " belongs to the relay: " + std::string(o->reason), "remove it"};
  if (is_oidc_option(name)) return std::nullopt;
  for (const auto& known : allowed_names())
    if (known == name) return std::nullopt;
  return is_unset_only(name) ? OptionProblem{"option " + name + " is for programs", "remove it"} : unknown(name);
}

std::optional<OptionProblem> check_option(const std::string& name, const std::string& value) {
  if (const auto* o = owned(name))
    return OptionProblem{"option " + name + " belongs to the relay: " + std::string(o->reason), "remove it"};
  if (is_oidc_option(name)) return check_oidc(name, value);
  if (is_unset_only(name)) return OptionProblem{"option " + name + " is for programs", "remove it"};
  const ConfHandle conf(rd_kafka_conf_new());
  char reason[512] = "";
  switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason, sizeof reason)) {
    case RD_KAFKA_CONF_OK: return std::nullopt;
    case RD_KAFKA_CONF_UNKNOWN: return unknown(name);
    case RD_KAFKA_CONF_INVALID: break;
  }
  if (is_secret_option(name)) return OptionProblem{"librdkafka refuses the value of " + name, "check the value"};
  return OptionProblem{"librdkafka refuses the value: " + std::string(reason), "check the value"};
}

}  // namespace relay::connectors::kafka
