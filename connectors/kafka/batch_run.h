// One attempt to hand over one batch in one Kafka transaction: plan (which event goes where), look topics up, begin,
// produce, flush, look for failures, commit; or abort. It never tries twice: what follows from an outcome is decided by
// KafkaSink and by the pipeline.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/kafka/deadline.h"
#include "connectors/kafka/producer.h"
#include "connectors/kafka/record_headers.h"
#include "connectors/kafka/topics.h"
#include "relay/pipeline/sink.h"

namespace relay::connectors::kafka {

// What an attempt works with; lives longer than the attempt.
struct RunParts {
  const ClientFactory& clients;
  Producer& producer;
  TopicDirectory& topics;
  RecordHeaders& headers;
  Clock& clock;
  Grouping grouping = Grouping::usual;  // the producer is tuned so
};

// Kept from batch to batch, so that a steady stream allocates nothing.
struct RunScratch {
  std::vector<Topic*> targets;  // per event; null: not produced
  std::vector<Topic*> used;     // each target once
  std::string text, original_topic;
  std::uint64_t attempts = 0;
};

class BatchRun {
 public:
  struct Outcome {
    Delivery delivery;
    bool find_culprit = false;   // a record batch of several events was refused: try again with fewer in each
    bool producer_good = false;  // it may be used for the next transaction
  };

  BatchRun(const RunParts& parts, RunScratch& scratch, const Batch& batch);

  // Moves on for `wait` at most; the outcome, once.
  std::optional<Outcome> step(Millis wait);

  // The progress record as it was, or would have been, produced.
  const std::string& progress_text() const { return progress_text_; }

 private:
  enum class Stage { look_up, begin, produce, flush, commit, abort };
  using Step = std::optional<Outcome>;

  void plan();
  Topic* plan_event(const Event& event, std::size_t index);
  Topic* plan_by_template(const Event& event, std::size_t index);
  void reject(std::size_t index, std::string code, std::string reason);

  Step look_up(Millis wait);
  std::optional<Error> judge_targets();
  std::optional<Error> judge_missing(const Topic& topic);
  Step begin();
  Step produce();
  bool produce_events();
  int produce_event(std::size_t index);
  int produce_progress();
  Step after_produce();
  Step flush(Millis wait);
  Step on_failed_deliveries();
  bool tells_why();
  Error presumed() const;
  void cut_short(int code, const Topic* topic);
  bool was_alone(std::size_t index) const;
  Step commit(Millis wait);
  Step abort(Millis wait);

  std::optional<Error> partition_error();
  Step abort_with(Outcome outcome);
  Step abort_with(Error error);
  Step give_up(const Failure& failure, const std::string& attempted);
  Error explain(const Failure& failure, const std::string& attempted, const Topic* topic = nullptr) const;
  const Topic* topic_of(std::uintptr_t tag) const;

  RunParts parts_;
  RunScratch& scratch_;
  const Batch& batch_;
  const KafkaSinkConfig& config_;
  const std::string progress_text_;
  Deadline deadline_;  // of the whole attempt; starts again when the transaction begins and when it is to be committed
  Stage stage_ = Stage::look_up;
  Topic* last_named_ = nullptr;  // the topic of the last event that was planned by the template
  std::vector<Topic*> to_settle_;
  std::vector<Rejection> rejected_;
  std::size_t next_ = 0;  // event to be produced
  std::int64_t timestamp_ms_ = 0;
  Outcome after_abort_;
  std::optional<SteadyTime> failed_at_;  // when the first delivery failed
  std::optional<Error> cut_short_;  // the library refused to take more before everything was produced
};

}  // namespace relay::connectors::kafka
