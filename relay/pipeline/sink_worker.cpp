#include "relay/pipeline/sink_worker.h"

#include "relay/base/assert.h"

namespace relay {

SinkWorker::SinkWorker(PipelineOptions options, std::unique_ptr<Sink> sink, std::unique_ptr<ProgressStore> store,
                       std::unique_ptr<DeadLetterStore> dead_letters, Logger log, std::function<void()> finished)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      store_(std::move(store)),
      dead_letters_(std::move(dead_letters)),
      log_(std::move(log)),
      finished_(std::move(finished)) {
  RELAY_ASSERT(sink_->stores_progress() || store_);
}

void SinkWorker::post(Stage stage, Batch* batch) {
  const std::lock_guard lock(mutex_);
  RELAY_ASSERT(stage_ == Stage::idle && !outcome_);
  stage_ = stage;
  batch_ = batch;
  cancelled_ = std::stop_source();
  posted_.notify_one();
}

void SinkWorker::post_peek() { post(Stage::peek, nullptr); }
void SinkWorker::post_open() { post(Stage::open, nullptr); }
void SinkWorker::post_deliver(Batch* batch) { post(Stage::prepare, batch); }

void SinkWorker::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_.request_stop();
}

bool SinkWorker::busy() const {
  const std::lock_guard lock(mutex_);
  return stage_ != Stage::idle || outcome_.has_value();
}

std::optional<SinkOutcome> SinkWorker::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcome_, std::nullopt);
}

std::string SinkWorker::cluster_id() const {
  const std::lock_guard lock(mutex_);
  return cluster_id_;
}

SinkWorker::Stage SinkWorker::wait_for_job(Millis wait) {
  std::unique_lock lock(mutex_);
  if (stage_ == Stage::idle && wait > Millis{0}) posted_.wait_for(lock, wait, [&] { return stage_ != Stage::idle; });
  return stage_;
}

bool SinkWorker::step(Millis wait) {
  const auto stage = wait_for_job(wait);
  if (stage == Stage::idle) {
    sink_->step(Millis{0});  // the client library has its own housekeeping
    return false;
  }
  if (stage != Stage::open && stage != Stage::peek && stop_token().stop_requested()) {
    sink_->close();
    return end(Error{ErrorKind::cancelled, "cancelled", "delivering a batch: given up before the sink answered", ""}, true);
  }
  switch (stage) {
    case Stage::peek: return peek();
    case Stage::open: return open();
    case Stage::prepare: return prepare();
    case Stage::deliver:
      if (auto delivery = sink_->step(wait)) return on_delivery(std::move(*delivery));
      return false;
    case Stage::save: return save();
    case Stage::idle: break;
  }
  return false;
}

std::stop_token SinkWorker::stop_token() const {
  const std::lock_guard lock(mutex_);
  return cancelled_.get_token();
}

void SinkWorker::go_on(Stage stage) {
  const std::lock_guard lock(mutex_);
  stage_ = stage;
}

bool SinkWorker::end(std::optional<Error> error, bool unknown, std::optional<Progress> progress, bool newer_hidden) {
  if (!error && dead_letter_count_ > 0)
    log_.warn("events_dead_lettered", "events of this batch can never be delivered; they are with the dead letters",
              {{"count", dead_letter_count_}});
  {
    const std::lock_guard lock(mutex_);
    SinkOutcome outcome;
    outcome.error = std::move(error);
    outcome.outcome_unknown = unknown;
    outcome.progress = std::move(progress);
    outcome.newer_hidden = newer_hidden;
    outcome.dead_letters = std::exchange(dead_letter_count_, 0);
    outcome_ = std::move(outcome);
    cluster_id_ = sink_->cluster_id();
    stage_ = Stage::idle;
    batch_ = nullptr;
  }
  finished_();
  return true;
}

bool SinkWorker::peek() {
  PeekedProgress peeked;
  if (store_) {
    auto stored = store_->load(options_.name);
    if (!stored) return end(std::move(stored).error());
    peeked.progress = std::move(*stored);
  } else {
    auto looked = sink_->peek_progress(options_.peek_timeout, stop_token());
    if (!looked) return end(std::move(looked).error());
    peeked = std::move(*looked);
  }
  return end(std::nullopt, false, std::move(peeked.progress), peeked.newer_hidden);
}

bool SinkWorker::open() {
  const auto stop = stop_token();
  if (auto opened = sink_->open(options_.open_timeout, stop); !opened) return end(std::move(opened).error());
  auto stored = store_ ? store_->load(options_.name) : sink_->read_progress(options_.open_timeout, stop);
  if (!stored) return end(std::move(stored).error());
  return end(std::nullopt, false, std::move(*stored));
}

// Events that the source or a transform rejected are settled before anything is handed to the sink.
bool SinkWorker::prepare() {
  if (auto settled = settle_rejected(); !settled) return end(std::move(settled).error());
  sink_->submit(*batch_);
  go_on(Stage::deliver);
  return false;
}

bool SinkWorker::on_delivery(Delivery delivery) {
  switch (delivery.kind) {
    case Delivery::Kind::durable:
      if (!store_) return end(std::nullopt);
      go_on(Stage::save);
      return false;
    case Delivery::Kind::failed: return end(std::move(delivery.error), delivery.outcome_unknown);
    case Delivery::Kind::rejected: return on_rejected(delivery);
  }
  return false;
}

bool SinkWorker::on_rejected(const Delivery& delivery) {
  RELAY_ASSERT(!delivery.rejected.empty());
  auto& events = batch_->events();
  if (delivery.rest_durable)
    for (auto& event : events)
      if (!event.left_out()) event.disposition = Disposition::parked;
  for (const auto& r : delivery.rejected) {
    auto& event = events.at(r.index);
    if (event.disposition == Disposition::dead_letter)
      return end(Error{ErrorKind::fatal, "dead_letter_rejected",
                       "writing event " + std::to_string(event.sequence) + " to the dead letter topic: " + r.reason,
                       "make the dead letter topic accept it, or use on_reject: {dead_letter: {table: true}}"});
    event.disposition = Disposition::reject;
    event.reject_code = batch_->arena().copy(r.code);
    event.reject_reason = batch_->arena().copy(r.reason);
  }
  settled_.fetch_add(1, std::memory_order_relaxed);
  go_on(Stage::prepare);
  return false;
}

Result<void> SinkWorker::settle_rejected() {
  std::vector<const Event*> to_park;
  for (auto& event : batch_->events()) {
    if (event.disposition != Disposition::reject) continue;
    if (options_.on_reject == OnReject::halt)
      return fail(ErrorKind::rejected, std::string(event.reject_code),
                  "delivering event " + std::string(event.id) + " (sequence " + std::to_string(event.sequence) +
                      (event.place == PlaceKind::lsn ? ", commit LSN " : ", ") +
                      place_text(event.place, event.commit_lsn) + "): " + std::string(event.reject_reason),
                  "mend the cause and start again, or send such events to dead letters: on_reject: {dead_letter: ...}");
    if (options_.on_reject == OnReject::dead_letter_topic)
      event.disposition = Disposition::dead_letter;
    else
      to_park.push_back(&event);
    ++dead_letter_count_;
  }
  if (to_park.empty()) return {};
  RELAY_TRY(dead_letters_->park(options_.name, to_park));
  for (auto& event : batch_->events())
    if (event.disposition == Disposition::reject) event.disposition = Disposition::parked;
  return {};
}

bool SinkWorker::save() {
  if (auto saved = store_->save(batch_->progress); !saved) return end(std::move(saved).error(), true);
  return end(std::nullopt);
}

void SinkWorker::close() noexcept { sink_->close(); }

}  // namespace relay
