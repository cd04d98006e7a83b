// The topics that events go to: looked up before their first event, created when that is configured, remembered until
// something goes wrong with them. Driven by the sink's thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/kafka/admin.h"
#include "relay/base/clock.h"

namespace relay::connectors::kafka {

struct Topic {
  enum class Standing { unknown, usable, missing, failed };

  std::string name;
  Standing standing = Standing::unknown;
  TopicHandle handle;                  // of the present producer
  int partitions = 0;                  // as last noted
  std::atomic<int> partitions_now{0};  // as librdkafka's partitioner last saw it; written by its threads too
  SteadyTime looked_up_at{};
  std::optional<Error> failure;        // why it has failed
  std::uint64_t planned_in = 0;        // number of the last attempt that has an event for it
};

class TopicDirectory {
 public:
  TopicDirectory(const ClientFactory& clients, Clock& clock, Logger log);

  // A new producer: topics keep their standing, handles are made anew when needed.
  void attach(Client& client);
  void detach();  // before the producer is destroyed; forgets what never was usable
  // Names come from data; those that lead nowhere must not fill the memory. True: a new producer is due.
  bool crowded() const;

  // The entry for a legal name. What was missing some time ago is unknown again.
  Topic& named(std::string_view name);
  // The progress topic: its standing is not looked up here.
  Topic& progress();

  // Makes every topic usable, missing or failed. nullopt: call again; an error: nobody answered.
  std::optional<Result<void>> settle(std::vector<Topic*>& topics, Millis wait);

  // Something went wrong: every topic is looked up again before its next event, so that one that was deleted does not
  // make transaction after transaction fail.
  void forget_standings();

  // True when the number of partitions of a topic is not the one noted before; notes and logs it.
  bool partitions_changed(Topic& topic);
  std::uint64_t partition_changes() const { return partition_changes_; }

 private:
  using Answered = std::optional<Result<void>>;
  Answered look_up(Topic& topic, Millis wait);
  Answered finish_creating(Topic& topic, Millis wait);
  void start_creating(const Topic& topic);
  void set_usable(Topic& topic, int partitions);
  void make_handle(Topic& topic);

  const ClientFactory& clients_;
  Clock& clock_;
  Logger log_;
  Client* client_ = nullptr;
  std::unordered_map<std::string, std::unique_ptr<Topic>> topics_;
  std::string lookup_key_;
  std::optional<AdminRequest> creating_;
  bool created_ = false;  // the topic being settled was just created: it may take a moment to appear
  std::uint64_t partition_changes_ = 0;
};

}  // namespace relay::connectors::kafka
