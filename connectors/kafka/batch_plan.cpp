// The first part of an attempt: which topic each event goes to, and what must be known about those topics.
#include <algorithm>

#include "connectors/kafka/batch_run.h"
#include "connectors/kafka/commands.h"
#include "connectors/kafka/topic_name.h"

namespace relay::connectors::kafka {

void BatchRun::plan() {
  const auto& events = batch_.events();
  const auto attempt = ++scratch_.attempts;
  scratch_.targets.assign(events.size(), nullptr);
  scratch_.used.clear();
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto* topic = plan_event(events[i], i);
    scratch_.targets[i] = topic;
    if (!topic || topic->planned_in == attempt) continue;
    topic->planned_in = attempt;
    scratch_.used.push_back(topic);
    if (topic->standing == Topic::Standing::unknown) to_settle_.push_back(topic);
  }
}

Topic* BatchRun::plan_event(const Event& event, std::size_t index) {
  switch (event.disposition) {
    case Disposition::parked:
    case Disposition::blocked: return nullptr;
    case Disposition::dead_letter: return &parts_.topics.named(config_.dead_letter_topic);
    case Disposition::reject:
    case Disposition::deliver: break;
  }
  return plan_by_template(event, index);
}

// Events of one aggregate type often follow each other: the last name is compared before it is looked up.
Topic* BatchRun::plan_by_template(const Event& event, std::size_t index) {
  auto& text = scratch_.text;
  text.clear();
  if (!config_.topic.render(event, text)) {
    reject(index, "topic_illegal", "the template `topic` names a role that is NULL in this event");
    return nullptr;
  }
  if (last_named_ && last_named_->name == text) return last_named_;
  if (!is_legal_topic(text)) {
    reject(index, "topic_illegal",
           "what the template `topic` gives for this event is no legal topic name: " + std::string(kTopicRule));
    return nullptr;
  }
  last_named_ = &parts_.topics.named(text);
  return last_named_;
}

void BatchRun::reject(std::size_t index, std::string code, std::string reason) {
  rejected_.push_back({index, std::move(code), std::move(reason)});
}

// What is to be done about topics that cannot be produced to: the pipeline's choice, never a transaction that must fail.
std::optional<Error> BatchRun::judge_targets() {
  for (auto* topic : scratch_.used) {
    if (topic->standing == Topic::Standing::usable) continue;
    if (auto error = judge_missing(*topic)) return error;
    for (std::size_t i = 0; i < scratch_.targets.size(); ++i)
      if (scratch_.targets[i] == topic)
        reject(i, topic->failure ? topic->failure->code : "topic_unknown",
               topic->failure ? topic->failure->message : "the event's topic does not exist");
  }
  std::sort(rejected_.begin(), rejected_.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  return std::nullopt;
}

// The error that stops the pipeline, or nullopt when the events of this topic are rejected one by one.
std::optional<Error> BatchRun::judge_missing(const Topic& topic) {
  const bool may_reject = config_.unknown_topic == UnknownTopic::reject && topic.name != config_.dead_letter_topic;
  if (topic.failure) {
    if (topic.failure->kind == ErrorKind::rejected || may_reject) return std::nullopt;
    return topic.failure;
  }
  if (may_reject) return std::nullopt;
  return Error{ErrorKind::fatal, "topic_unknown", "delivering events (topic " + topic.name + "): there is no such topic",
               create_topic_command(config_, topic.name) + " ; or let the relay create topics: sink.create_topics"};
}

}  // namespace relay::connectors::kafka
