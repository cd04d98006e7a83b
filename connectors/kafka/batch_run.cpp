#include "connectors/kafka/batch_run.h"

#include <algorithm>

#include "relay/pipeline/progress_json.h"

namespace relay::connectors::kafka {
namespace {

// A transaction that was begun is ended, one way or the other, soon after its time-out.
constexpr Millis kGrace{5'000};
constexpr Millis kAbortFor{5'000};
// Short, because reports of purged records must be taken in between for the abort to end.
constexpr Millis kAbortSlice{10};
// The report that tells why may come after those of records that were given up in its wake.
constexpr Millis kReasonFollows{1'000};

std::uintptr_t tag_of(std::size_t index) { return index + 1; }

}  // namespace

BatchRun::BatchRun(const RunParts& parts, RunScratch& scratch, const Batch& batch)
    : parts_(parts),
      scratch_(scratch),
      batch_(batch),
      config_(parts.clients.config()),
      progress_text_(progress_to_json(batch.progress)),
      deadline_(parts.clock, config_.transaction_timeout + kGrace) {
  plan();
}

std::optional<BatchRun::Outcome> BatchRun::step(Millis wait) {
  switch (stage_) {
    case Stage::look_up: return look_up(wait);
    case Stage::begin: return begin();
    case Stage::produce: return produce();
    case Stage::flush: return flush(wait);
    case Stage::commit: return commit(wait);
    case Stage::abort: return abort(wait);
  }
  return std::nullopt;
}

BatchRun::Step BatchRun::look_up(Millis wait) {
  const auto settled = parts_.topics.settle(to_settle_, wait);
  if (settled && *settled) {
    if (auto error = judge_targets()) return Outcome{Delivery::failed(std::move(*error)), false, true};
    if (!rejected_.empty()) {
      Outcome outcome{{}, false, true};
      outcome.delivery.kind = Delivery::Kind::rejected;
      outcome.delivery.rejected = std::move(rejected_);
      return outcome;
    }
    stage_ = Stage::begin;
    return begin();
  }
  if (settled) return Outcome{Delivery::failed(std::move(*settled).error()), false, true};
  if (!deadline_.expired()) return std::nullopt;
  return Outcome{Delivery::failed(explain({RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer in time"}, "looking topics up",
                                          to_settle_.empty() ? nullptr : to_settle_.back())),
                 false, true};
}

BatchRun::Step BatchRun::begin() {
  const auto call = parts_.producer.begin();
  if (call.then != TxnCall::Then::done) return give_up(call.failure, "beginning a transaction");
  timestamp_ms_ = parts_.clock.unix_micros() / 1000;
  deadline_ = Deadline(parts_.clock, config_.transaction_timeout + kGrace);
  stage_ = Stage::produce;
  return produce();
}

BatchRun::Step BatchRun::flush(Millis wait) {
  const bool all_answered = parts_.producer.flush(wait);
  if (const auto fatal = parts_.producer.fatal()) return give_up(*fatal, "delivering a batch");
  if (!parts_.producer.failed().empty() && (all_answered || tells_why())) return on_failed_deliveries();
  if (all_answered && cut_short_) return abort_with(std::move(*cut_short_));
  if (all_answered && parts_.producer.presumed_deliveries() > 0) return abort_with(presumed());
  if (all_answered) {
    deadline_ = Deadline(parts_.clock, config_.transaction_timeout + kGrace);
    stage_ = Stage::commit;
    return std::nullopt;
  }
  if (!deadline_.expired()) return std::nullopt;
  return abort_with(explain({RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "records were not acknowledged in time"}, "delivering a batch"));
}

Error BatchRun::presumed() const {
  return {ErrorKind::transient, "delivery_presumed",
          "delivering a batch: of " + std::to_string(parts_.producer.presumed_deliveries()) +
              " records no broker said that it has them, as when a partition gets its leader at this moment",
          "nothing is lost: the transaction is given up, and its events are sent again"};
}

// Among the failures is one that is more than the wake of another, or none will come any more.
bool BatchRun::tells_why() {
  const auto& failed = parts_.producer.failed();
  if (std::any_of(failed.begin(), failed.end(), [](const auto& f) { return !is_collateral(f.code); })) return true;
  if (!failed_at_) failed_at_ = parts_.clock.now();
  return parts_.clock.now() - *failed_at_ >= kReasonFollows;
}

// Which failures say something about an event, and which are only in the wake of others.
BatchRun::Step BatchRun::on_failed_deliveries() {
  const auto& failed = parts_.producer.failed();
  for (const auto& f : failed)
    if (is_fencing(f.code)) return give_up({f.code, ""}, "delivering a batch");
  Outcome blamed;
  blamed.delivery.kind = Delivery::Kind::rejected;
  bool in_company = false;
  for (const auto& f : failed) {
    if (!blames_record_batch(f.code) || !topic_of(f.tag) || f.tag > batch_.events().size()) continue;
    if (!was_alone(f.tag - 1)) {
      in_company = true;
      continue;
    }
    auto error = explain({f.code, ""}, "delivering an event", topic_of(f.tag));
    blamed.delivery.rejected.push_back({f.tag - 1, error.code, error.message});
  }
  // Those that are found go first; the company of the others is looked at when the batch comes again.
  blamed.find_culprit = blamed.delivery.rejected.empty() && in_company;
  if (!blamed.delivery.rejected.empty() || in_company) return abort_with(std::move(blamed));
  const auto cause = std::find_if(failed.begin(), failed.end(), [](const auto& f) { return !is_collateral(f.code); });
  // All of them were only given up with the transaction: why that failed, a commit tells, which it refuses.
  auto error = cause == failed.end() ? explain(parts_.producer.commit(Millis{0}).failure, "delivering a batch")
                                     : explain({cause->code, ""}, "delivering a batch", topic_of(cause->tag));
  if (error.kind == ErrorKind::rejected) error.kind = ErrorKind::fatal;  // the progress record itself was refused
  return abort_with(std::move(error));
}

// In a record batch of its own, so that a refusal of the record batch was meant for this event.
bool BatchRun::was_alone(std::size_t index) const {
  switch (parts_.grouping) {
    case Grouping::usual: return false;
    case Grouping::small: return batch_.events()[index].payload.size() > static_cast<std::size_t>(kSmallRecordBatch);
    case Grouping::alone: return true;
  }
  return false;
}

BatchRun::Step BatchRun::commit(Millis wait) {
  const auto call = parts_.producer.commit(wait);
  switch (call.then) {
    case TxnCall::Then::done: return Outcome{Delivery::durable(), false, !parts_.producer.end_repeated()};
    case TxnCall::Then::abort:
      return parts_.producer.failed().empty() ? abort_with(explain(call.failure, "committing a transaction"))
                                              : on_failed_deliveries();
    case TxnCall::Then::give_up: return give_up(call.failure, "committing a transaction");
    case TxnCall::Then::again: break;
  }
  if (const auto fatal = parts_.producer.fatal()) return give_up(*fatal, "committing a transaction");
  if (deadline_.expired())
    return give_up({RD_KAFKA_RESP_ERR__TIMED_OUT, "the brokers did not answer in time"}, "committing a transaction");
  return std::nullopt;
}

BatchRun::Step BatchRun::abort_with(Error error) {
  Outcome outcome;
  outcome.delivery = Delivery::failed(std::move(error), parts_.producer.end_sent());
  return abort_with(std::move(outcome));
}

// The outcome is certain already; the abort only spares others the wait for the transaction's time-out.
BatchRun::Step BatchRun::abort_with(Outcome outcome) {
  after_abort_ = std::move(outcome);
  after_abort_.producer_good = false;
  deadline_ = Deadline(parts_.clock, kAbortFor);
  stage_ = Stage::abort;
  return std::nullopt;
}

BatchRun::Step BatchRun::abort(Millis wait) {
  const auto call = parts_.producer.abort(std::min(wait, kAbortSlice));
  if (call.then == TxnCall::Then::again && !deadline_.expired()) return std::nullopt;
  return std::move(after_abort_);
}

// Fatal to the producer. If EndTxn had been sent, nobody here knows whether it was carried out.
BatchRun::Step BatchRun::give_up(const Failure& failure, const std::string& attempted) {
  auto cause = failure;
  if (const auto fatal = parts_.producer.fatal()) cause = *fatal;
  return Outcome{Delivery::failed(explain(cause, attempted), parts_.producer.end_sent()), false, false};
}

Error BatchRun::explain(const Failure& failure, const std::string& attempted, const Topic* topic) const {
  auto error = translate(failure, attempted, parts_.clients.scene(topic ? topic->name : std::string()));
  if (const auto news = parts_.producer.client().take_connection_failure(); news && error.kind == ErrorKind::transient)
    error.message += " (" + news->text + ")";
  return error;
}

const Topic* BatchRun::topic_of(std::uintptr_t tag) const {
  return tag >= 1 && tag <= scratch_.targets.size() ? scratch_.targets[tag - 1] : nullptr;
}

// Rejecting what the library itself refuses to take would else go unnoticed: the transaction does not fail for it.
BatchRun::Step BatchRun::after_produce() {
  if (!rejected_.empty()) {
    Outcome outcome;
    outcome.delivery.kind = Delivery::Kind::rejected;
    outcome.delivery.rejected = std::move(rejected_);
    return abort_with(std::move(outcome));
  }
  if (auto error = partition_error()) return abort_with(std::move(*error));
  stage_ = Stage::flush;
  return std::nullopt;
}

std::optional<Error> BatchRun::partition_error() {
  for (auto* topic : scratch_.used)
    if (parts_.topics.partitions_changed(*topic) && config_.on_partition_change == OnPartitionChange::halt)
      return Error{ErrorKind::fatal, "partition_count_changed",
                   "delivering a batch (topic " + topic->name + "): its number of partitions changed, which ends the order per key",
                   "start the relay again to go on with the new number, or set on_partition_change: warn"};
  return std::nullopt;
}

BatchRun::Step BatchRun::produce() {
  if (!produce_events()) {
    parts_.producer.serve(Millis{1});  // the library's queue is full; what is acknowledged makes room
    if (!parts_.producer.failed().empty()) cut_short(RD_KAFKA_RESP_ERR__STATE, nullptr);
    return std::nullopt;
  }
  if (stage_ != Stage::produce) return std::nullopt;
  if (const int code = produce_progress()) {
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      parts_.producer.serve(Millis{1});
      if (!parts_.producer.failed().empty()) cut_short(code, nullptr);
      return std::nullopt;
    }
    if (code == RD_KAFKA_RESP_ERR__STATE) {
      cut_short(code, nullptr);
      return std::nullopt;
    }
    if (const auto fatal = parts_.producer.fatal()) return give_up(*fatal, "delivering a batch");
    return abort_with(explain({code, ""}, "producing the progress record", &parts_.topics.progress()));
  }
  return after_produce();
}

// While events were still being produced the library has given the transaction up, because of one that was sent before:
// the reports tell which. Whatever they tell, this transaction must not be committed.
void BatchRun::cut_short(int code, const Topic* topic) {
  cut_short_ = explain({code, "the transaction failed while events were still being produced"}, "delivering a batch", topic);
  deadline_ = Deadline(parts_.clock, config_.transaction_timeout + kGrace);
  stage_ = Stage::flush;
}

// False: the queue is full. Anything else that goes wrong changes the stage.
bool BatchRun::produce_events() {
  const auto count = batch_.events().size();
  for (; next_ < count; ++next_) {
    if (!scratch_.targets[next_]) continue;
    const int code = produce_event(next_);
    if (code == 0) continue;
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    if (code == RD_KAFKA_RESP_ERR__STATE) {
      cut_short(code, scratch_.targets[next_]);
      return true;
    }
    auto error = explain({code, ""}, "producing an event", scratch_.targets[next_]);
    if (error.kind == ErrorKind::rejected) {
      reject(next_, error.code, error.message);
      continue;
    }
    abort_with(std::move(error));
    return true;
  }
  return true;
}

int BatchRun::produce_event(std::size_t index) {
  const auto& event = batch_.events()[index];
  const auto& topic = *scratch_.targets[index];
  Record record;
  record.topic = topic.handle.get();
  record.payload = event.payload;
  record.tag = tag_of(index);
  record.timestamp_ms = timestamp_ms_;
  if (const auto role = config_.key.sole_role()) {
    record.key = value_of(*role, event);
  } else {
    scratch_.text.clear();
    if (config_.key.render(event, scratch_.text)) record.key = scratch_.text;
  }
  if (event.disposition != Disposition::dead_letter) {
    auto headers = parts_.headers.of(event);
    return parts_.producer.produce(record, headers);
  }
  scratch_.original_topic.clear();
  config_.topic.render(event, scratch_.original_topic);
  auto headers = parts_.headers.of_dead_letter(event, scratch_.original_topic);
  return parts_.producer.produce(record, headers);
}

int BatchRun::produce_progress() {
  Record record;
  record.topic = parts_.topics.progress().handle.get();
  record.partition = 0;
  record.key = config_.pipeline;
  record.payload = progress_text_;
  record.tag = tag_of(batch_.events().size());
  record.timestamp_ms = timestamp_ms_;
  HeadersHandle none;
  return parts_.producer.produce(record, none);
}

}  // namespace relay::connectors::kafka
