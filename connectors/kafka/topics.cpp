#include "connectors/kafka/topics.h"

#include <algorithm>

#include "connectors/kafka/commands.h"

namespace relay::connectors::kafka {
namespace {

constexpr Millis kQuestion{1'000};
constexpr std::chrono::seconds kMissingFor{30};
constexpr std::size_t kEntriesMax = 4'096;

// Java's default partitioner, and a note of how many partitions librdkafka sees.
std::int32_t partition_of(const rd_kafka_topic_t* topic, const void* key, std::size_t key_size, std::int32_t partitions,
                          void* entry, void* tag) {
  static_cast<Topic*>(entry)->partitions_now.store(partitions, std::memory_order_relaxed);
  return rd_kafka_msg_partitioner_murmur2_random(topic, key, key_size, partitions, entry, tag);
}

}  // namespace

TopicDirectory::TopicDirectory(const ClientFactory& clients, Clock& clock, Logger log)
    : clients_(clients), clock_(clock), log_(std::move(log)) {}

void TopicDirectory::attach(Client& client) {
  detach();
  client_ = &client;
}

void TopicDirectory::detach() {
  creating_.reset();
  for (auto& [name, topic] : topics_) topic->handle.reset();
  // Only now: until the producer is gone, librdkafka's own topics point to these entries.
  std::erase_if(topics_, [](const auto& entry) { return entry.second->partitions == 0; });
  client_ = nullptr;
}

void TopicDirectory::forget_standings() {
  for (auto& [name, topic] : topics_) topic->standing = Topic::Standing::unknown;
}

bool TopicDirectory::crowded() const {
  if (topics_.size() <= kEntriesMax) return false;
  const auto useless = [](const auto& entry) { return entry.second->partitions == 0; };
  return static_cast<std::size_t>(std::count_if(topics_.begin(), topics_.end(), useless)) > kEntriesMax;
}

Topic& TopicDirectory::named(std::string_view name) {
  lookup_key_.assign(name);
  auto found = topics_.find(lookup_key_);
  if (found == topics_.end()) {
    auto topic = std::make_unique<Topic>();
    topic->name = name;
    found = topics_.emplace(lookup_key_, std::move(topic)).first;
  }
  auto& topic = *found->second;
  const bool bad = topic.standing == Topic::Standing::missing || topic.standing == Topic::Standing::failed;
  if (bad && clock_.now() - topic.looked_up_at > kMissingFor) topic.standing = Topic::Standing::unknown;
  if (!topic.handle) make_handle(topic);
  return topic;
}

Topic& TopicDirectory::progress() {
  auto& topic = named(clients_.config().progress_topic());
  if (topic.standing != Topic::Standing::usable) set_usable(topic, 1);
  return topic;
}

void TopicDirectory::make_handle(Topic& topic) {
  TopicConfHandle conf(rd_kafka_default_topic_conf_dup(client_->get()));
  rd_kafka_topic_conf_set_partitioner_cb(conf.get(), &partition_of);
  rd_kafka_topic_conf_set_opaque(conf.get(), &topic);
  topic.handle.reset(rd_kafka_topic_new(client_->get(), topic.name.c_str(), conf.get()));
  if (topic.handle) (void)conf.release();
}

void TopicDirectory::set_usable(Topic& topic, int partitions) {
  topic.standing = Topic::Standing::usable;
  topic.looked_up_at = clock_.now();
  topic.failure.reset();
  topic.partitions_now.store(partitions, std::memory_order_relaxed);
  if (topic.partitions == 0) topic.partitions = partitions;
}

std::optional<Result<void>> TopicDirectory::settle(std::vector<Topic*>& topics, Millis wait) {
  while (!topics.empty()) {
    auto& topic = *topics.back();
    if (topic.standing == Topic::Standing::unknown) {
      const auto answered = creating_ ? finish_creating(topic, wait) : look_up(topic, std::max(wait, kQuestion));
      if (!answered || !*answered) return answered;
    }
    created_ = false;
    topics.pop_back();
  }
  return Result<void>{};
}

TopicDirectory::Answered TopicDirectory::look_up(Topic& topic, Millis wait) {
  const auto state = look_up_topic(*client_, topic.handle.get(), wait);
  topic.looked_up_at = clock_.now();
  switch (state.kind) {
    case TopicState::Kind::exists: set_usable(topic, state.partitions); return Result<void>{};
    case TopicState::Kind::not_ready: return std::nullopt;
    case TopicState::Kind::missing:
      if (created_) return std::nullopt;
      if (clients_.config().create_topics) {
        start_creating(topic);
        return std::nullopt;
      }
      topic.standing = Topic::Standing::missing;
      return Result<void>{};
    case TopicState::Kind::failed: break;
  }
  auto error = translate(state.failure, "looking up a topic", clients_.scene(topic.name));
  if (error.kind == ErrorKind::transient) return Result<void>(fail(std::move(error)));
  topic.failure = std::move(error);
  topic.standing = Topic::Standing::failed;
  return Result<void>{};
}

void TopicDirectory::start_creating(const Topic& topic) {
  const auto& wanted = *clients_.config().create_topics;
  creating_.emplace(AdminRequest::create_topic(*client_, topic.name, wanted.partitions, wanted.replication_factor,
                                               wanted.config));
}

TopicDirectory::Answered TopicDirectory::finish_creating(Topic& topic, Millis wait) {
  const auto answer = creating_->step(wait);
  if (!answer) return std::nullopt;
  creating_.reset();
  if (answer->failure.code == 0) {
    created_ = true;
    log_.info("topic_created", "a topic was created for its first event", {{"topic", topic.name}});
    return std::nullopt;
  }
  auto error = translate(answer->failure, "creating a topic", clients_.scene(topic.name));
  if (error.kind == ErrorKind::transient) return Result<void>(fail(std::move(error)));
  topic.failure = std::move(error);
  topic.standing = Topic::Standing::failed;
  return Result<void>{};
}

bool TopicDirectory::partitions_changed(Topic& topic) {
  const int now = topic.partitions_now.load(std::memory_order_relaxed);
  if (now == topic.partitions || now == 0) return false;
  ++partition_changes_;
  log_.warn("partition_count_changed",
            "a topic has another number of partitions than before: events of one key before and after are in different "
            "partitions, so that their order does not hold",
            {{"topic", topic.name},
             {"before", std::int64_t{topic.partitions}},
             {"now", std::int64_t{now}},
             {"changes", partition_changes_}});
  topic.partitions = now;
  return true;
}

}  // namespace relay::connectors::kafka
