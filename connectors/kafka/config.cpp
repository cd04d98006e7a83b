#include "connectors/kafka/config.h"

#include <algorithm>

#include "connectors/kafka/option_rules.h"
#include "connectors/kafka/topic_name.h"
#include "relay/config/suggest.h"

namespace relay::connectors::kafka {
namespace {

struct KnownHeader {
  std::string_view name;
  HeaderValue value;
  std::string_view text;
};

constexpr KnownHeader kHeaders[] = {
    {"id", HeaderValue::text, "{id}"},
    {"type", HeaderValue::text, "{event_type}"},
    {"sequence", HeaderValue::sequence, ""},
    {"commit_lsn", HeaderValue::commit_lsn, ""},
    {"committed_at", HeaderValue::committed_at, ""},
    {"transaction_id", HeaderValue::transaction_id, ""},
    {"source", HeaderValue::text, "{table}"},
    {"aggregate_type", HeaderValue::text, "{aggregate_type}"},
    {"aggregate_id", HeaderValue::text, "{aggregate_id}"},
};

class Checker {
 public:
  Checker(const config::Value& sink, config::Diagnostics& out) : sink_(sink), out_(out) {}

  void report(const config::Value& where, std::string field, std::string message, std::string hint) {
    config::Diagnostic d;
    d.mark = where.mark();
    d.field = "sink." + std::move(field);
    d.message = std::move(message);
    d.hint = std::move(hint);
    out_.push_back(std::move(d));
  }

  void check_template(const config::Value& value, const std::string& field, bool is_topic) {
    if (!value) return;
    const auto parsed = Template::parse(value.as_string(), "pipeline");
    if (parsed.problem)
      report(value, field, parsed.problem->message, parsed.problem->hint);
    else if (is_topic && parsed.value.is_constant() && !is_legal_topic(parsed.value.constant()))
      report(value, field, "this is no legal topic name", std::string(kTopicRule));
  }

  void check_options() {
    for (const auto& [name, value] : sink_["librdkafka"].entries())
      if (auto problem = check_option(name, value.as_secret().reveal()))
        report(value, "librdkafka." + name, problem->message, problem->hint);
    for (const auto& [name, value] : sink_["librdkafka_files"].entries()) {
      if (auto problem = check_option_name(name))
        report(value, "librdkafka_files." + name, problem->message, problem->hint);
      else if (sink_["librdkafka"][name])
        report(value, "librdkafka_files." + name, "the option is set in librdkafka as well", "keep one of the two");
    }
  }

  void check_oauth() {
    const auto& options = sink_["librdkafka"];
    const auto text = [&](std::string_view name) {
      return options[name] ? options[name].as_secret().reveal() : std::string();
    };
    const auto& mechanism = options["sasl.mechanism"] ? options["sasl.mechanism"] : options["sasl.mechanisms"];
    if (!mechanism || mechanism.as_secret().reveal() != "OAUTHBEARER") return;
    if (text("enable.sasl.oauthbearer.unsecure.jwt") == "true") return;
    if (text("sasl.oauthbearer.method") != "oidc")
      return report(mechanism, "librdkafka.sasl.mechanism", "OAUTHBEARER without a source of tokens",
                    "set sasl.oauthbearer.method: oidc and its client id, secret and token endpoint");
    for (const std::string name : {"client.id", "client.secret", "token.endpoint.url"})
      if (!options["sasl.oauthbearer." + name] && !sink_["librdkafka_files"]["sasl.oauthbearer." + name])
        report(mechanism, "librdkafka.sasl.mechanism", "OAUTHBEARER over OIDC needs sasl.oauthbearer." + name,
               "set it in librdkafka or librdkafka_files");
  }

 private:
  const config::Value& sink_;
  config::Diagnostics& out_;
};

Template template_of(const config::Value& value, const std::string& pipeline) {
  return Template::parse(value.as_string(), pipeline).value;
}

std::vector<HeaderSpec> headers_of(const config::Value& sink, const std::string& pipeline) {
  std::vector<HeaderSpec> headers;
  for (const auto& item : sink["headers"].items())
    for (const auto& known : kHeaders)
      if (known.name == item.as_string())
        headers.push_back({std::string(known.name), known.value, Template::parse(known.text, pipeline).value});
  for (const auto& [name, value] : sink["extra_headers"].entries())
    headers.push_back({name, HeaderValue::text, template_of(value, pipeline)});
  return headers;
}

std::optional<CreateTopics> create_topics_of(const config::Value& value) {
  if (!value) return std::nullopt;
  CreateTopics create;
  if (const auto& n = value["partitions"]) create.partitions = static_cast<int>(n.as_int());
  if (const auto& n = value["replication_factor"]) create.replication_factor = static_cast<int>(n.as_int());
  for (const auto& [name, text] : value["config"].entries()) create.config.emplace_back(name, text.as_string());
  return create;
}

const config::Value& dead_letter_topic_of(const config::Value& pipeline) {
  static const config::Value none;
  const auto& on_reject = pipeline["on_reject"];
  if (!on_reject.is_map()) return none;
  const auto& dead_letter = on_reject["dead_letter"];
  return dead_letter.is_map() ? dead_letter["topic"] : none;
}

}  // namespace

std::string KafkaSinkConfig::option(std::string_view name) const {
  for (const auto& [option_name, value] : options)
    if (option_name == name) return value.reveal();
  return {};
}

std::string KafkaSinkConfig::principal() const {
  const auto user = option("sasl.username");
  return "User:" + (user.empty() ? "<principal of the relay>" : user);
}

std::vector<std::string> known_headers() {
  std::vector<std::string> names;
  for (const auto& known : kHeaders) names.emplace_back(known.name);
  return names;
}

KafkaSinkConfig read_config(const config::Value& sink, const config::Value& pipeline, const std::string& name) {
  KafkaSinkConfig c;
  c.pipeline = name;
  c.bootstrap_servers = sink["bootstrap_servers"].as_string();
  if (const auto& v = sink["transactional_id_prefix"]) c.transactional_id_prefix = v.as_string();
  c.topic = template_of(sink["topic"], name);
  c.key = template_of(sink["key"], name);
  c.headers = headers_of(sink, name);
  c.create_topics = create_topics_of(sink["create_topics"]);
  if (sink["unknown_topic"].as_string() == "reject") c.unknown_topic = UnknownTopic::reject;
  if (sink["on_partition_change"].as_string() == "halt") c.on_partition_change = OnPartitionChange::halt;
  c.transaction_timeout = sink["transaction_timeout"].as_duration();
  if (const auto& v = dead_letter_topic_of(pipeline)) c.dead_letter_topic = v.as_string();
  for (const auto& [key, value] : sink["librdkafka"].entries()) c.options.emplace_back(key, value.as_secret());
  for (const auto& [key, value] : sink["librdkafka_files"].entries()) c.option_files.emplace_back(key, value.as_string());
  return c;
}

void validate_config(const config::Value& sink, const config::Value& pipeline, config::Diagnostics& out) {
  Checker check(sink, out);
  check.check_template(sink["topic"], "topic", true);
  check.check_template(sink["key"], "key", false);
  for (const auto& [name, value] : sink["extra_headers"].entries())
    check.check_template(value, "extra_headers." + name, false);
  check.check_options();
  check.check_oauth();
  if (const auto& topic = dead_letter_topic_of(pipeline); topic && !is_legal_topic(topic.as_string()))
    check.report(topic, "on_reject.dead_letter.topic", "this is no legal topic name", std::string(kTopicRule));
}

}  // namespace relay::connectors::kafka
