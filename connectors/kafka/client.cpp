#include "connectors/kafka/client.h"

#include <array>
#include <fstream>
#include <iterator>

#include "connectors/kafka/option_rules.h"

namespace relay::connectors::kafka {
namespace {

constexpr int kApiKeyEndTxn = 26;
constexpr char kInterceptor[] = "outbox-relay";

// A whole file, without the line end that editors leave behind.
Result<Secret> read_option_file(const std::string& option, const std::string& path, bool connected_before) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return fail(connected_before ? ErrorKind::transient : ErrorKind::fatal, "file_unreadable",
                "reading the value of librdkafka option " + option + " from " + path + ": the file cannot be read",
                "check the path and that the relay's user may read it");
  std::string value{std::istreambuf_iterator<char>(in), {}};
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  return Secret(std::move(value));
}

LogLevel level_of(int syslog_level) {
  return syslog_level <= 5 ? LogLevel::warn : LogLevel::debug;  // what a person must act on, the relay says itself
}

}  // namespace

Client::Client(std::unique_ptr<Watch> watch, ClientHandle handle)
    : watch_(std::move(watch)), handle_(std::move(handle)), events_(rd_kafka_queue_get_main(handle_.get())) {}

void Client::note(const Failure& failure) {
  const bool telling = is_authentication(failure.code) || is_tls(failure.code);
  if (telling || !connection_failure_) connection_failure_ = failure;
}

std::optional<Failure> Client::take_connection_failure() { return std::exchange(connection_failure_, std::nullopt); }

void Client::serve(Millis wait, const std::function<void(const FailedMessage&)>& on_failed) {
  int timeout = static_cast<int>(wait.count());
  while (const EventHandle event{rd_kafka_queue_poll(events_.get(), timeout)}) {
    timeout = 0;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) {
      while (const auto* m = rd_kafka_event_message_next(event.get()))
        if (m->err && on_failed) on_failed({reinterpret_cast<std::uintptr_t>(m->_private), m->err});
    } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
      const auto* text = rd_kafka_event_error_string(event.get());
      note({rd_kafka_event_error(event.get()), text ? text : ""});
    }
  }
}

void Client::log_line(const rd_kafka_t* rk, int level, const char* facility, const char* text) {
  auto* watch = static_cast<Watch*>(rd_kafka_opaque(rk));
  auto ours = level_of(level);
  if (ours > LogLevel::debug && !watch->throttle.lets_through(facility, std::chrono::steady_clock::now()))
    ours = LogLevel::debug;
  watch->log.log(ours, "librdkafka", text, {{"facility", std::string(facility)}});
}

void Client::refresh_token(rd_kafka_t* rk, const char*, void* opaque) {
  const auto& oidc = static_cast<Watch*>(opaque)->oidc;
  const auto token = oidc->fetch();
  if (!token) {
    rd_kafka_oauthbearer_set_token_failure(rk, token.error().message.c_str());
    return;
  }
  std::vector<const char*> extensions;
  for (const auto& part : token->extensions) extensions.push_back(part.c_str());
  char why[512] = "";
  if (rd_kafka_oauthbearer_set_token(rk, token->value.reveal().c_str(), token->expires_at_ms, token->principal.c_str(),
                                     extensions.data(), extensions.size(), why, sizeof why))
    rd_kafka_oauthbearer_set_token_failure(rk, why);
}

rd_kafka_resp_err_t Client::on_request(rd_kafka_t*, int, const char*, int32_t, int16_t api_key, int16_t, int32_t, size_t,
                                       void* watch) {
  if (api_key == kApiKeyEndTxn) static_cast<Watch*>(watch)->end_txn_requests.fetch_add(1, std::memory_order_relaxed);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t Client::on_new(rd_kafka_t* rk, const rd_kafka_conf_t*, void* watch, char*, size_t) {
  if (const auto code = rd_kafka_interceptor_add_on_acknowledgement(rk, kInterceptor, &Client::on_acknowledgement, watch)) return code;
  return rd_kafka_interceptor_add_on_request_sent(rk, kInterceptor, &Client::on_request, watch);
}

rd_kafka_resp_err_t Client::on_acknowledgement(rd_kafka_t*, rd_kafka_message_t* message, void* watch) {
  if (!message->err && message->offset < 0) static_cast<Watch*>(watch)->presumed_deliveries.fetch_add(1, std::memory_order_relaxed);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

Result<void> ClientFactory::set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) const {
  char why[512] = "";
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK) return {};
  return fail(ErrorKind::fatal, "kafka_config_invalid",
              "setting librdkafka option " + name + ": " + (is_secret_option(name) ? "the value is refused" : why),
              "check the option's value");
}

Result<ClientFactory::Options> ClientFactory::effective_options() const {
  auto options = config_.options;
  for (const auto& [name, path] : config_.option_files) {
    RELAY_ASSIGN(auto value, read_option_file(name, path, connected_));
    options.emplace_back(name, std::move(value));
  }
  return options;
}

Result<void> ClientFactory::set_options(rd_kafka_conf_t* conf, const Options& options) const {
  RELAY_TRY(set(conf, "client.id", "outbox-relay"));
  RELAY_TRY(set(conf, "log.connection.close", "false"));
  RELAY_TRY(set(conf, "reconnect.backoff.max.ms", "1000"));  // one relay is no herd; its database waits for it
  for (const auto& [name, value] : options)
    if (!is_oidc_option(name)) RELAY_TRY(set(conf, name, value.reveal()));
  RELAY_TRY(set(conf, "bootstrap.servers", config_.bootstrap_servers));
  RELAY_TRY(set(conf, "allow.auto.create.topics", "false"));
  return set(conf, "socket.nagle.disable", "true");
}

Result<void> ClientFactory::set_role(rd_kafka_conf_t* conf, ClientRole role, const ProducerTuning& tuning) const {
  using Setting = std::pair<const char*, std::string>;
  std::vector<Setting> settings;
  if (role == ClientRole::producer) {
    const auto timeout = std::to_string(config_.transaction_timeout.count());
    settings = {{"transactional.id", config_.transactional_id(tuning.number)},
                {"transaction.timeout.ms", timeout},
                {"message.timeout.ms", timeout},
                {"enable.idempotence", "true"},
                {"acks", "all"},
                {"partitioner", "murmur2_random"},
                {"delivery.report.only.error", "true"},
                {"queue.buffering.max.messages", "100000"},
                {"queue.buffering.max.kbytes", "2097151"}};
    const int bytes = tuning.grouping == Grouping::small ? kSmallRecordBatch : tuning.record_batch_bytes;
    if (tuning.grouping == Grouping::alone) settings.emplace_back("batch.num.messages", "1");
    else if (bytes > 0) settings.emplace_back("batch.size", std::to_string(bytes));
  } else {
    settings = {{"isolation.level", role == ClientRole::reader ? "read_committed" : "read_uncommitted"},
                {"enable.partition.eof", "true"},
                {"queued.max.messages.kbytes", "4096"},
                {"fetch.wait.max.ms", "100"}};
  }
  for (const auto& [name, value] : settings) RELAY_TRY(set(conf, name, value));
  rd_kafka_conf_set_events(conf, role == ClientRole::producer ? RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR
                                                              : RD_KAFKA_EVENT_ERROR);
  return {};
}

// Files that cannot be read show as a client that cannot be created; what they are about only the sentence tells.
Error ClientFactory::creation_error(const Failure& failure) const {
  auto tls = failure;
  if (failure.text.find("ssl.") != std::string::npos) tls.code = RD_KAFKA_RESP_ERR__SSL;
  return translate(tls, "creating a Kafka client", scene());
}

Result<std::unique_ptr<Client>> ClientFactory::make(ClientRole role, const ProducerTuning& tuning) const {
  ConfHandle conf(rd_kafka_conf_new());
  auto watch = std::make_unique<Client::Watch>();
  watch->log = log_;
  RELAY_ASSIGN(const auto options, effective_options());
  watch->oidc = OidcToken::from_options(options);
  // Sending begins while the batch is still being handed over; the requests in flight gather what comes meanwhile.
  if (role == ClientRole::producer) RELAY_TRY(set(conf.get(), "linger.ms", "0"));
  RELAY_TRY(set_options(conf.get(), options));
  RELAY_TRY(set_role(conf.get(), role, tuning));
  rd_kafka_conf_set_opaque(conf.get(), watch.get());
  rd_kafka_conf_set_log_cb(conf.get(), &Client::log_line);
  if (watch->oidc) {
    rd_kafka_conf_enable_sasl_queue(conf.get(), 1);
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf.get(), &Client::refresh_token);
  }
  const bool counts_requests = role == ClientRole::producer;
  if (counts_requests) rd_kafka_conf_interceptor_add_on_new(conf.get(), kInterceptor, &Client::on_new, watch.get());

  char why[512] = "";
  ClientHandle handle(rd_kafka_new(role == ClientRole::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), why,
                                   sizeof why));
  const auto code = rd_kafka_last_error();
  // The client owns the configuration now. When there is no client, librdkafka has freed the interceptors of the
  // configuration all the same, and destroying it would free them again: better a few kilobytes lost.
  if (handle || counts_requests) (void)conf.release();
  if (!handle) return fail(creation_error({code, why}));
  if (watch->oidc) ErrorHandle ignored(rd_kafka_sasl_background_callbacks_enable(handle.get()));
  return std::unique_ptr<Client>(new Client(std::move(watch), std::move(handle)));
}

}  // namespace relay::connectors::kafka
