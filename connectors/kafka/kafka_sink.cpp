#include "connectors/kafka/kafka_sink.h"

#include "connectors/kafka/commands.h"

namespace relay::connectors::kafka {
namespace {

constexpr Millis kSlice{100};
constexpr Millis kQuestion{1'000};

}  // namespace

KafkaSink::KafkaSink(KafkaSinkConfig config, Clock& clock, Logger log)
    : config_(std::move(config)),
      clock_(clock),
      log_(std::move(log)),
      clients_(config_, log_),
      topics_(clients_, clock_, log_),
      headers_(config_.headers),
      files_(watched_files(), clock_.now()) {}

KafkaSink::~KafkaSink() { close(); }

std::vector<std::string> KafkaSink::watched_files() const {
  std::vector<std::string> paths;
  for (const auto& [option, path] : config_.option_files) paths.push_back(path);
  for (const auto& [option, value] : config_.options)
    if (option.starts_with("ssl.") && option.ends_with(".location")) paths.push_back(value.reveal());
  return paths;
}

Result<PeekedProgress> KafkaSink::peek_progress(Millis timeout, std::stop_token stop) {
  ProgressReader reader(clients_, log_, Deadline(clock_, timeout, std::move(stop)), ReadMode::peek);
  RELAY_ASSIGN(const auto stored, read(reader));
  PeekedProgress peeked;
  if (stored) peeked.progress = stored->progress;
  peeked.newer_hidden = reader.newer_hidden();
  return peeked;
}

Result<std::optional<StoredProgress>> KafkaSink::read(ProgressReader& reader) {
  auto stored = reader.run();
  if (!reader.cluster_id().empty()) cluster_id_ = reader.cluster_id();
  return stored;
}

Result<std::optional<Progress>> KafkaSink::read_progress(Millis timeout, std::stop_token stop) {
  ProgressReader reader(clients_, log_, Deadline(clock_, timeout, std::move(stop)), ReadMode::start);
  RELAY_ASSIGN(const auto stored, read(reader));
  stored_known_ = true;
  stored_text_.reset();
  if (!stored) return std::nullopt;
  stored_text_ = stored->text;
  return stored->progress;
}

Result<void> KafkaSink::open(Millis timeout, std::stop_token stop) {
  close();
  topics_.forget_standings();
  const Deadline deadline(clock_, timeout, stop);
  grouping_ = Grouping::usual;
  ProducerStart start(clients_, tuning(), deadline);
  for (;;) {
    auto started = start.step(kSlice);
    if (!started) continue;
    if (!*started) return fail(std::move(*started).error());
    use(std::move(**started));
    break;
  }
  if (auto ready = ensure_progress_topic(deadline); !ready) {
    close();
    return ready;
  }
  log_.info("kafka_producer_ready", "earlier producers are fenced",
            {{"transactional_id", config_.transactional_id(0)}});
  return {};
}

void KafkaSink::use(std::unique_ptr<Producer> producer) {
  producer_ = std::move(producer);
  topics_.attach(producer_->client());
  renew_next_ = false;
}

Result<void> KafkaSink::ensure_progress_topic(const Deadline& deadline) {
  const auto topic = config_.progress_topic();
  bool asked_for = false;
  Failure last{RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer in time"};
  while (!deadline.over()) {
    const auto state = look_up_topic(producer_->client(), topic, deadline.slice(kQuestion));
    if (state.kind == TopicState::Kind::exists) return {};
    if (state.kind == TopicState::Kind::failed) {
      last = state.failure;
      auto error = translate(last, "looking up the progress topic", clients_.scene(topic));
      if (error.kind != ErrorKind::transient) return fail(std::move(error));
    }
    if (state.kind == TopicState::Kind::missing && !asked_for) {
      Settings settings;
      for (const auto& s : kProgressTopicSettings) settings.emplace_back(s.name, s.value);
      const int replicas = config_.create_topics ? config_.create_topics->replication_factor : -1;
      RELAY_TRY(wait_for_creation(AdminRequest::create_topic(producer_->client(), topic, 1, replicas, settings), deadline));
      asked_for = true;
      log_.info("progress_topic_created", "the progress topic was created", {{"topic", topic}});
    }
    deadline.nap(Millis{20});
  }
  if (deadline.stopped()) return fail(ErrorKind::cancelled, "cancelled", "creating the progress topic: told to stop");
  return fail(translate(last, "looking up the progress topic", clients_.scene(topic)));
}

Result<void> KafkaSink::wait_for_creation(AdminRequest request, const Deadline& deadline) {
  const auto topic = config_.progress_topic();
  while (!deadline.over()) {
    const auto answer = request.step(deadline.slice(kSlice));
    if (!answer) continue;
    if (answer->failure.code == 0) return {};
    auto error = translate(answer->failure, "creating the progress topic", clients_.scene(topic));
    if (error.kind == ErrorKind::fatal) error.hint = error.code == "topic_unauthorized"
                                                         ? acl_for_progress_topic(config_, true)
                                                         : create_progress_topic_command(config_);
    return fail(std::move(error));
  }
  return {};
}

void KafkaSink::drop_producer() noexcept {
  run_.reset();
  topics_.detach();
  producer_.reset();
  started_.reset();
  starting_.reset();
  comparing_.reset();
  renewal_ = Renewal::none;
}

void KafkaSink::close() noexcept {
  drop_producer();
  batch_ = nullptr;
  stored_known_ = false;
}

}  // namespace relay::connectors::kafka
