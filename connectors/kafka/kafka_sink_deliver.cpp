// The sink's part between open() and close(): one batch after the other, and the replacement of the producer between
// two transactions.
#include <cstdlib>
#include <thread>

#include "connectors/kafka/kafka_sink.h"
#include "relay/base/assert.h"

namespace relay::connectors::kafka {
namespace {

constexpr Millis kRenewFor{60'000};
constexpr int kRecordBatchBytes = 1'000'000;      // librdkafka's default
constexpr int kRecordBatchBytesLeast = 1024;
// The coordinator refuses the next transaction while it still writes the last one's markers, and librdkafka then waits
// for 20 ms. With small batches a pause of that length more often than not avoids it (measured: p99 at 2,000/s 70 -> 40
// ms); with large ones it makes no difference.
constexpr std::chrono::microseconds kMarkersTake{1'000};
constexpr std::size_t kSmallBatch = 1'000;

}  // namespace

void KafkaSink::submit(const Batch& batch) {
  RELAY_ASSERT(batch_ == nullptr);
  batch_ = &batch;
}

std::optional<Delivery> KafkaSink::step(Millis wait) {
  if (!batch_) {
    if (producer_) producer_->serve(wait);
    return std::nullopt;
  }
  if (renewal_ == Renewal::starting) return renew(wait);
  if (renewal_ == Renewal::comparing) return compare(wait);
  if (run_) return run(wait);
  if (!producer_ || renewal_due()) return start_renewal();
  const auto since_commit = clock_.now() - committed_at_;
  if (since_commit < kMarkersTake && batch_->events().size() < kSmallBatch) {
    std::this_thread::sleep_for(kMarkersTake - since_commit);
    return std::nullopt;
  }
  run_.emplace(RunParts{clients_, *producer_, topics_, headers_, clock_, grouping_}, scratch_, *batch_);
  return run(wait);
}

// Asked between two transactions only.
bool KafkaSink::renewal_due() {
  if (files_.changed(clock_.now())) {
    log_.info("kafka_credentials_changed", "a certificate or password file changed: the producer is created anew");
    return true;
  }
  return renew_next_ || grouping_ != wanted_grouping() || topics_.crowded();
}

Grouping KafkaSink::wanted_grouping() const {
  const bool searching = searching_until_sequence_ > 0 && batch_->progress.sequence <= searching_until_sequence_;
  return searching ? search_ : Grouping::usual;
}

ProducerTuning KafkaSink::tuning() const {
  ProducerTuning t;
  t.grouping = grouping_;
  t.record_batch_bytes = record_batch_bytes_;
  return t;
}

std::optional<Delivery> KafkaSink::start_renewal() {
  if (!stored_known_)
    return end(Delivery::failed({ErrorKind::transient, "sink_not_open", "delivering a batch: the sink is not open", ""}));
  drop_producer();
  grouping_ = wanted_grouping();
  starting_.emplace(clients_, tuning(), Deadline(clock_, kRenewFor));
  renewal_ = Renewal::starting;
  return std::nullopt;
}

std::optional<Delivery> KafkaSink::renew(Millis wait) {
  auto started = starting_->step(wait);
  if (!started) return std::nullopt;
  if (!*started) return end(Delivery::failed(std::move(*started).error()));
  started_ = std::move(**started);
  starting_.reset();
  comparing_.emplace(clients_, log_, Deadline(clock_, kRenewFor), ReadMode::compare);
  renewal_ = Renewal::comparing;
  return std::nullopt;
}

std::optional<Delivery> KafkaSink::compare(Millis wait) {
  auto read = comparing_->step(wait);
  if (!read) return std::nullopt;
  if (!*read) return end(Delivery::failed(std::move(*read).error()));
  const auto now = **read ? std::optional((**read)->text) : std::nullopt;
  comparing_.reset();
  renewal_ = Renewal::none;
  if (now != stored_text_)
    return end(Delivery::failed({ErrorKind::fenced, "progress_moved",
                                 "delivering a batch: another instance stored progress in topic " + config_.progress_topic(),
                                 "run one relay per pipeline; a second one waits by itself"}));
  use(std::move(started_));
  return std::nullopt;
}

std::optional<Delivery> KafkaSink::run(Millis wait) {
  auto outcome = run_->step(wait);
  if (!outcome) return std::nullopt;
  if (outcome->delivery.kind == Delivery::Kind::durable) {
    stored_text_ = run_->progress_text();
    committed_at_ = clock_.now();
    if (grouping_ != Grouping::usual) smaller_record_batches();
  }
  run_.reset();
  return conclude(std::move(*outcome));
}

std::optional<Delivery> KafkaSink::conclude(BatchRun::Outcome outcome) {
  if (!outcome.producer_good) renew_next_ = true;
  if (outcome.find_culprit) {
    look_closer();
    return std::nullopt;
  }
  return end(std::move(outcome.delivery));
}

int KafkaSink::usual_record_batch_bytes() const {
  const int configured = std::atoi(config_.option("batch.size").c_str());
  return configured > 0 ? configured : kRecordBatchBytes;
}

// First so that only large events are alone, which costs little; one by one when even small ones together are refused.
void KafkaSink::look_closer() {
  const bool small_already = (record_batch_bytes_ ? record_batch_bytes_ : usual_record_batch_bytes()) <= kSmallRecordBatch;
  search_ = grouping_ == Grouping::usual && !small_already ? Grouping::small : Grouping::alone;
  searching_until_sequence_ = batch_->progress.sequence;
  log_.warn("record_batch_refused",
            search_ == Grouping::small
                ? "the broker refused a record batch: its events are sent again in small ones to find the one at fault"
                : "the broker refused a small record batch: its events are sent again one by one to find the one at fault",
            {{"events", std::uint64_t{batch_->events().size()}}});
}

// Every event went through, so it was their sum that the topic does not take; unless this was only a part of the batch
// that was refused, as after a restart.
void KafkaSink::smaller_record_batches() {
  if (batch_->progress.sequence != searching_until_sequence_ || batch_->events().empty()) return;
  searching_until_sequence_ = 0;
  for (const auto& event : batch_->events())
    if (event.disposition == Disposition::dead_letter || event.disposition == Disposition::parked) return;
  const int before = record_batch_bytes_ ? record_batch_bytes_ : usual_record_batch_bytes();
  record_batch_bytes_ = std::max(kRecordBatchBytesLeast, before / 2);
  log_.warn("record_batches_made_smaller", "a topic takes smaller record batches than usual only",
            {{"bytes", std::int64_t{record_batch_bytes_}},
             {"hint", std::string("raise the topic's max.message.bytes above librdkafka's batch.size")}});
}

// A failed producer is not used again: open() begins afresh.
Delivery KafkaSink::end(Delivery delivery) {
  if (delivery.kind == Delivery::Kind::failed) {
    drop_producer();
    stored_known_ = false;
  }
  batch_ = nullptr;
  return delivery;
}

}  // namespace relay::connectors::kafka
