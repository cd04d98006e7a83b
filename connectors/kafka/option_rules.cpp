#include "connectors/kafka/option_rules.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
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

bool is_for_programs(const std::string& name) { return name.ends_with("_cb") || name == "opaque"; }

// Every option that librdkafka knows and that we let through.
// Its table of properties is the only list with all names: dumps of a configuration leave out what has no value.
std::vector<std::string> allowed_names() {
  std::vector<std::string> allowed;
  char* text = nullptr;
  std::size_t size = 0;
  FILE* table = open_memstream(&text, &size);
  if (!table) return allowed;
  rd_kafka_conf_properties_show(table);
  std::fclose(table);
  std::istringstream lines(std::string(text, size));
  std::free(text);
  for (std::string line; std::getline(lines, line);) {
    const auto name = line.substr(0, line.find_first_of(" |"));
    if (!name.empty() && line.find('|') != std::string::npos && !owned(name) && !is_for_programs(name))
      allowed.push_back(name);
  }
  for (const auto name : kOidc) allowed.emplace_back(name);
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
  if (is_for_programs(name)) return OptionProblem{"option " + name + " is for programs", "remove it"};
  const ConfHandle conf(rd_kafka_conf_new());
  char reason[512];
  if (rd_kafka_conf_set(conf.get(), name.c_str(), "", reason, sizeof reason) == RD_KAFKA_CONF_UNKNOWN) return unknown(name);
  return std::nullopt;
}

std::optional<OptionProblem> check_option(const std::string& name, const std::string& value) {
  if (const auto* o = owned(name))
    return OptionProblem{"option " + name + " belongs to the relay: " + std::string(o->reason), "remove it"};
  if (is_oidc_option(name)) return check_oidc(name, value);
  if (is_for_programs(name)) return OptionProblem{"option " + name + " is for programs", "remove it"};
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
