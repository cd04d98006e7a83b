#include "connectors/kafka/doctor.h"

#include <charconv>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/commands.h"
#include "connectors/kafka/deadline.h"
#include "connectors/kafka/progress_topic_rules.h"

namespace relay::connectors::kafka {
namespace {

constexpr Millis kReachWithin{10'000};
constexpr Millis kAnswerWithin{5'000};
constexpr Millis kQuestion{2'000};
constexpr int kRdkafka212 = 0x020c0000;
constexpr int kRdkafkaScramMended = 0x02060100;

std::int64_t number(const std::map<std::string, std::string>& settings, const std::string& name, std::int64_t otherwise) {
  const auto found = settings.find(name);
  if (found == settings.end()) return otherwise;
  std::int64_t value = otherwise;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

class Examination {
 public:
  Examination(const KafkaSinkConfig& config, Clock& clock, const Logger& log)
      : config_(config), clock_(clock), clients_(config_, log) {}

  Findings run() {
    library();
    security();
    if (!connect()) return std::move(findings_);
    broker_settings();
    progress_topic();
    event_topics();
    access();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string code, std::string subject, std::string message, std::string fix = {}) {
    findings_.push_back({severity, std::move(code), std::move(subject), std::move(message), std::move(fix)});
  }

  void library() {
    const std::string version = rd_kafka_version_str();
    if (rd_kafka_version() >= kRdkafka212)
      add(Severity::ok, "librdkafka", "librdkafka " + version, "recent enough for cheap small transactions");
    else
      add(Severity::note, "librdkafka", "librdkafka " + version,
          "2.12 and newer need a third of the CPU for small transactions", "use a distribution with a newer librdkafka (Debian 13)");
  }

  void security() {
    const auto protocol = config_.option("security.protocol");
    if (protocol.find("SSL") != std::string::npos || protocol.find("ssl") != std::string::npos)
      add(Severity::ok, "tls", "connection", "encrypted with TLS");
    else
      add(Severity::note, "tls_not_used", "connection", "events and passwords cross the network unencrypted",
          "librdkafka: {security.protocol: SSL} or SASL_SSL, with ssl.ca.location");
    const auto mechanism = config_.option("sasl.mechanism") + config_.option("sasl.mechanisms");
    if (mechanism.starts_with("SCRAM") && rd_kafka_version() < kRdkafkaScramMended)
      add(Severity::note, "scram_old_library", "librdkafka " + std::string(rd_kafka_version_str()),
          "its SCRAM works with brokers before Kafka 4.0 only; newer ones answer as if the password were wrong",
          "librdkafka 2.6.1 or newer, or PLAIN over TLS, or client certificates");
    if (config_.transactional_id_prefix.empty())
      add(Severity::note, "no_transactional_id_prefix", "transactional id " + config_.transactional_id(0),
          "a copy of this installation that uses the same brokers would fence it", "transactional_id_prefix: <name of this installation>-");
  }

  bool connect() {
    auto client = clients_.make(ClientRole::observer);
    if (!client) return unreachable(client.error());
    client_ = std::move(*client);
    const Deadline deadline(clock_, kReachWithin);
    Failure why, news;
    while (!deadline.expired()) {
      brokers_ = list_brokers(*client_, deadline.slice(kQuestion), &why);
      if (brokers_) break;
      client_->serve(Millis{0});
      if (auto failure = client_->take_connection_failure()) news = *failure;
      if (is_authentication(news.code) || is_tls(news.code)) break;
    }
    if (!brokers_) return unreachable(translate(news.code ? news : why, "connecting to the brokers", clients_.scene()));
    std::string id = "unknown";
    if (char* text = rd_kafka_clusterid(client_->get(), static_cast<int>(kQuestion.count()))) {
      id = text;
      rd_kafka_mem_free(client_->get(), text);
    }
    add(Severity::ok, "broker_reachable", "brokers " + config_.bootstrap_servers,
        "cluster " + id + " with " + std::to_string(brokers_->brokers) + " broker(s)");
    return true;
  }

  bool unreachable(const Error& error) {
    add(Severity::error, error.code, "brokers " + config_.bootstrap_servers, error.message, error.hint);
    return false;
  }

  AdminRequest::Answer wait_for(AdminRequest request) {
    const Deadline deadline(clock_, kAnswerWithin);
    while (!deadline.expired())
      if (auto answer = request.step(deadline.slice(kQuestion))) return std::move(*answer);
    return {{RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer in time"}, {}};
  }

  void broker_settings() {
    const auto answer = wait_for(AdminRequest::describe_broker(*client_, brokers_->controller));
    if (answer.failure.code)
      return add(Severity::note, "broker_settings_unknown", "brokers", "their settings cannot be asked for: " + answer.failure.text,
                 acl_for_cluster(config_, "DescribeConfigs"));
    const auto& s = answer.settings;
    if (const auto found = s.find("inter.broker.protocol.version"); found != s.end())
      add(Severity::ok, "broker_version", "brokers", "they speak protocol version " + found->second);
    transactions(s);
    const auto auto_create = s.find("auto.create.topics.enable");
    if (auto_create != s.end() && auto_create->second == "true")
      add(Severity::note, "topics_auto_created", "brokers",
          "auto.create.topics.enable=true: consumers and other producers create topics by naming them; the relay does not");
    const auto largest = number(s, "message.max.bytes", 0);
    add(Severity::ok, "message_size", "brokers",
        "a record batch may have " + std::to_string(largest) + " bytes, unless its topic says otherwise");
  }

  void transactions(const std::map<std::string, std::string>& s) {
    const auto longest = number(s, "transaction.max.timeout.ms", 900'000);
    if (longest < config_.transaction_timeout.count())
      add(Severity::error, "transaction_timeout_invalid", "brokers",
          "transaction.max.timeout.ms is " + std::to_string(longest) + ", below the sink's transaction_timeout",
          "transaction_timeout: " + std::to_string(longest) + "ms");
    else
      add(Severity::ok, "transactions", "brokers", "transactions may last " + std::to_string(longest) + " ms");
    const auto copies = number(s, "transaction.state.log.replication.factor", 0);
    const auto in_sync = number(s, "transaction.state.log.min.isr", 0);
    if (copies > brokers_->brokers)
      add(Severity::error, "transactions_unavailable", "brokers",
          "transaction.state.log.replication.factor is " + std::to_string(copies) + " with " +
              std::to_string(brokers_->brokers) + " broker(s): no transaction can begin unless __transaction_state exists already",
          "transaction.state.log.replication.factor=" + std::to_string(brokers_->brokers));
    else if (copies < 3 || in_sync < 2)
      add(Severity::warning, "transaction_log_fragile", "brokers",
          "the log of transactions has " + std::to_string(copies) + " copies, of which " + std::to_string(in_sync) +
              " must be in sync: losing a broker can lose the state of transactions",
          "transaction.state.log.replication.factor=3 and transaction.state.log.min.isr=2");
  }

  void replicas(const std::string& topic, int copies, const std::map<std::string, std::string>& settings) {
    const auto in_sync = number(settings, "min.insync.replicas", 1);
    if (copies < 2)
      add(Severity::warning, "replication_factor_low", "topic " + topic, "it has one copy: losing that broker loses its records",
          "replication factor 3 and min.insync.replicas=2");
    else if (in_sync < 2)
      add(Severity::warning, "min_insync_replicas_low", "topic " + topic,
          "min.insync.replicas is 1: an acknowledged record may exist once only",
          "kafka-configs.sh --bootstrap-server " + config_.bootstrap_servers + " --alter --entity-type topics --entity-name '" +
              topic + "' --add-config min.insync.replicas=2");
  }

  void progress_topic() {
    const auto name = config_.progress_topic();
    const auto state = look_up_topic(*client_, name, kAnswerWithin);
    if (state.kind == TopicState::Kind::missing)
      return add(Severity::note, "progress_topic_missing", "topic " + name,
                 "it does not exist yet; `run` creates it if it is allowed to", create_progress_topic_command(config_));
    if (state.kind != TopicState::Kind::exists) return topic_failure(name, state);
    const auto answer = wait_for(AdminRequest::describe_topic(*client_, name));
    const auto verdict = judge_progress_topic(state.partitions, answer.settings);
    for (const auto& refusal : verdict.refusals)
      add(Severity::error, "progress_topic_invalid", "topic " + name, refusal, alter_progress_topic_command(config_));
    for (const auto& warning : verdict.warnings)
      add(Severity::warning, "progress_topic_settings", "topic " + name, warning, alter_progress_topic_command(config_));
    if (answer.failure.code)
      add(Severity::warning, "progress_topic_unverified", "topic " + name, "its settings cannot be asked for: " + answer.failure.text,
          acl_for_progress_topic(config_, false));
    else if (verdict.refusals.empty())
      add(Severity::ok, "progress_topic", "topic " + name, "one partition, compacted, " + std::to_string(state.replicas) + " copies");
    replicas(name, state.replicas, answer.settings);
  }

  void topic_failure(const std::string& name, const TopicState& state) {
    if (state.kind == TopicState::Kind::not_ready)
      return add(Severity::error, "topic_not_ready", "topic " + name, "a partition of it has no leader", "bring its brokers back");
    const auto error = translate(state.failure, "looking up a topic", clients_.scene(name));
    add(Severity::error, error.code, "topic " + name, error.message, error.hint);
  }

  void event_topic(const std::string& name) {
    const auto state = look_up_topic(*client_, name, kAnswerWithin);
    if (state.kind == TopicState::Kind::missing) {
      if (config_.create_topics)
        return add(Severity::note, "topic_unknown", "topic " + name, "it does not exist yet and is created for its first event");
      return add(Severity::error, "topic_unknown", "topic " + name, "it does not exist", create_topic_command(config_, name));
    }
    if (state.kind != TopicState::Kind::exists) return topic_failure(name, state);
    add(Severity::ok, "topic", "topic " + name,
        std::to_string(state.partitions) + " partition(s), " + std::to_string(state.replicas) + " copies");
    const auto answer = wait_for(AdminRequest::describe_topic(*client_, name));
    if (!answer.failure.code) replicas(name, state.replicas, answer.settings);
  }

  void event_topics() {
    if (config_.topic.is_constant())
      event_topic(config_.topic.constant());
    else
      add(Severity::note, "topics_by_event", "topics", "their names depend on the events and are looked up one by one",
          config_.create_topics ? "" : "create them beforehand, or set create_topics");
    if (!config_.dead_letter_topic.empty()) event_topic(config_.dead_letter_topic);
  }

  // Asking for access lists needs rights of its own that a relay should not have: so the lines are printed instead.
  void access() {
    std::string lines = acl_for_transactional_id(config_) + "\n" + acl_for_progress_topic(config_, true);
    if (config_.topic.is_constant())
      lines += "\n" + acl_for_topic(config_, config_.topic.constant());
    else if (const auto prefix = config_.topic.constant_prefix(); !prefix.empty())
      lines += "\n" + acl_for_topic(config_, prefix, true);
    else
      lines += "\n" + acl_for_topic(config_, "*");
    if (!config_.dead_letter_topic.empty()) lines += "\n" + acl_for_topic(config_, config_.dead_letter_topic);
    add(Severity::note, "access", config_.principal(), "if the brokers check access, these lines allow what the relay does", lines);
  }

  const KafkaSinkConfig& config_;
  Clock& clock_;
  ClientFactory clients_;
  std::unique_ptr<Client> client_;
  std::optional<BrokerList> brokers_;
  Findings findings_;
};

}  // namespace

Findings examine_brokers(const KafkaSinkConfig& config, Clock& clock, const Logger& log) {
  return Examination(config, clock, log).run();
}

}  // namespace relay::connectors::kafka
