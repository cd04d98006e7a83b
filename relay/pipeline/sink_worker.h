// The sink's side of a pipeline: takes one job at a time from the source's side, works on it in slices, and hands back one
// outcome. Owns the sink and the stores; everything about retries of the whole pipeline is decided on the other side.
//
// Threads: post_*(), cancel(), take() and busy() belong to the source's thread; step() to the sink's thread. Between
// post_deliver() and take() the batch belongs to the sink's thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "relay/base/log.h"
#include "relay/pipeline/pipeline.h"

namespace relay {

// What became of a job.
struct SinkOutcome {
  std::optional<Error> error;         // nullopt: done
  bool outcome_unknown = false;       // deliver failed, and may have happened all the same
  std::optional<Progress> progress;   // peek, open: what is stored
  bool newer_hidden = false;          // peek: see PeekedProgress
  std::uint64_t dead_letters = 0;     // deliver: events of the batch that went to dead letters
};

class SinkWorker {
 public:
  // `finished` is called from the sink's thread after each job (to wake the source's thread).
  SinkWorker(PipelineOptions options, std::unique_ptr<Sink> sink, std::unique_ptr<ProgressStore> store,
             std::unique_ptr<DeadLetterStore> dead_letters, Logger log, std::function<void()> finished);

  void post_peek();
  void post_open();
  void post_deliver(Batch* batch);
  // Ends the running job soon, with kind cancelled if it was not done before. The sink is closed and what was under way
  // is decided at the next open().
  void cancel();
  bool busy() const;                   // a job was posted and its outcome not taken
  std::optional<SinkOutcome> take();   // the outcome, once
  // Grows whenever rejected events of the running batch were found and settled, after which the batch goes to the sink
  // once more: many of them take long, and that is no stall.
  std::uint64_t settled() const { return settled_.load(std::memory_order_relaxed); }
  std::string cluster_id() const;      // of the sink as it was when the last open() or peek ended

  // The sink's thread: works for `wait` at most, also waits so long for a job. True when a job ended.
  bool step(Millis wait);
  void close() noexcept;               // after the thread ended

 private:
  enum class Stage { idle, peek, open, prepare, deliver, save };

  // The source's thread.
  void post(Stage stage, Batch* batch);

  // The sink's thread. Each works on the present stage; true when the job ended.
  Stage wait_for_job(Millis wait);
  bool peek();
  bool open();
  bool prepare();
  bool on_delivery(Delivery delivery);
  bool on_rejected(const Delivery& delivery);
  bool save();
  Result<void> settle_rejected();
  void go_on(Stage stage);
  bool end(std::optional<Error> error, bool unknown = false, std::optional<Progress> progress = {},
           bool newer_hidden = false);
  std::stop_token stop_token() const;

  const PipelineOptions options_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<ProgressStore> store_;
  std::unique_ptr<DeadLetterStore> dead_letters_;
  Logger log_;
  std::function<void()> finished_;

  std::uint64_t dead_letter_count_ = 0;  // of the running job; the sink's thread only
  std::atomic<std::uint64_t> settled_{0};

  mutable std::mutex mutex_;             // guards what follows
  std::condition_variable posted_;
  Stage stage_ = Stage::idle;
  Batch* batch_ = nullptr;               // of the running job; set while idle, else the sink's thread's own
  std::optional<SinkOutcome> outcome_;
  std::string cluster_id_;
  std::stop_source cancelled_;
};

}  // namespace relay
