// What a sink of events promises to the pipeline. A sink is driven by one thread; no call waits longer than it is told.
//
// A sink gets batches in order, one at a time, and ends each with exactly one Delivery. It never decides on retries,
// never acknowledges what it was not asked to deliver, and every event of a batch that is neither left out nor rejected
// is durable when it says so. Every sink passes tests/contract/sink_contract.h.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/result.h"
#include "relay/model/batch.h"

namespace relay {

struct Rejection {
  std::size_t index = 0;  // into batch.events()
  std::string code;       // message_too_large, topic_illegal, topic_unknown, ...
  std::string reason;     // a sentence without any value of the event
};

struct Delivery {
  enum class Kind { durable, rejected, failed };
  Kind kind = Kind::durable;
  // rejected: these events, and only these, can never be delivered. When `rest_durable` the others are delivered and must
  // not come again; otherwise nothing of the batch is delivered and it comes again with these marked otherwise.
  std::vector<Rejection> rejected;
  bool rest_durable = false;
  // failed: nothing is known to be delivered. When `outcome_unknown` the whole batch, progress included, may have been:
  // read_progress() after the next open() tells.
  Error error;
  bool outcome_unknown = false;

  static Delivery durable() { return {}; }
  static Delivery failed(Error e, bool unknown = false) {
    Delivery d;
    d.kind = Kind::failed;
    d.error = std::move(e);
    d.outcome_unknown = unknown;
    return d;
  }
};

// What a look at stored progress, without fencing anybody, finds.
struct PeekedProgress {
  std::optional<Progress> progress;
  bool newer_hidden = false;  // a transaction that is not decided yet may hold a newer record (Kafka)
};

class Sink {
 public:
  virtual ~Sink() = default;

  // True: progress is stored with the events, atomically (Kafka), or in the sink's own store (file); peek_progress() and
  // read_progress() work. False: the pipeline stores it in a ProgressStore after each delivery.
  virtual bool stores_progress() const = 0;

  // Reads without fencing anybody and without changing anything. Also the identity of what is connected to. Waits for
  // `timeout` at most, less when stopped; not for undecided transactions, which the next open() decides.
  virtual Result<PeekedProgress> peek_progress(Millis timeout, std::stop_token stop) = 0;

  // Connects and makes sure that no earlier instance can deliver any more (Kafka: init_transactions on every
  // transactional id of the pipeline). Only the holder of the source's lock calls it. Idempotent; after a failed
  // Delivery it starts afresh.
  virtual Result<void> open(Millis timeout, std::stop_token stop) = 0;

  // After open(): the newest stored progress, the last word on what was handed over.
  virtual Result<std::optional<Progress>> read_progress(Millis timeout, std::stop_token stop) = 0;

  // Identity of the broker cluster, stored in the progress and compared at every start; empty when there is none.
  virtual std::string cluster_id() const = 0;

  // Hands over a batch: all its events but those that are left_out(), and batch.progress if stores_progress(). The batch stays
  // untouched and alive until step() has returned its Delivery. May have no events: then only progress is stored.
  // Does not wait for the network.
  virtual void submit(const Batch& batch) = 0;

  // Moves on with the submitted batch for `wait` at most. Returns its Delivery exactly once. Without a submitted batch it
  // serves the client library and returns nullopt.
  virtual std::optional<Delivery> step(Millis wait) = 0;

  // Finishes nothing: what is under way is decided at the next open(). Idempotent.
  virtual void close() noexcept = 0;
};

}  // namespace relay
