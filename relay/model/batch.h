// Events in order, the bytes they point to, and the progress that handing all of them over amounts to.
//
// One batch is filled by the source thread while another is drained by the sink thread; a batch is owned by one thread
// at a time and is reused without giving its memory back.
#pragma once

#include <cstddef>
#include <vector>

#include "relay/base/arena.h"
#include "relay/model/event.h"
#include "relay/model/progress.h"

namespace relay {

// When a batch is full. A transaction that begins below the targets is not split as long as it fits below the limits.
struct BatchLimits {
  std::size_t events_target = 12'000;
  std::size_t bytes_target = 6u << 20;
  std::size_t events_max = 24'000;
  std::size_t bytes_max = 12u << 20;
};

class Batch {
 public:
  explicit Batch(BatchLimits limits = {}) : limits_(limits) {}

  Arena& arena() { return arena_; }

  // The source appends nothing to a full batch: at a boundary from the target on, inside a transaction at the limit.
  bool full() const {
    if (events_.size() >= limits_.events_max || bytes_ >= limits_.bytes_max) return true;
    return at_boundary() && marked_ && (events_.size() >= limits_.events_target || bytes_ >= limits_.bytes_target);
  }

  // A source that reads pages, and marks a boundary only when a page is known to be durable, stops at the target.
  bool at_target() const { return events_.size() >= limits_.events_target || bytes_ >= limits_.bytes_target; }
  std::size_t events_to_target() const {
    return events_.size() < limits_.events_target ? limits_.events_target - events_.size() : 0;
  }

  // The source: appends an event whose views point into arena() or outlive the pipeline. `bytes` is what it weighs
  // against the batch limit (its copied fields).
  Event& add(std::size_t bytes) {
    bytes_ += bytes;
    return events_.emplace_back();
  }

  // The source: everything appended so far is complete up to here, and the batch may be closed here. Position of the
  // last change taken (delivered or ignored); end_lsn as in Progress.
  void mark_boundary(const Position& position, Lsn end_lsn) {
    boundary_ = events_.size();
    boundary_bytes_ = bytes_;
    position_ = position;
    end_lsn_ = end_lsn;
    marked_ = true;
  }

  // After the source failed: forgets what was appended since the last boundary.
  void truncate_to_boundary() {
    events_.resize(boundary_);
    bytes_ = boundary_bytes_;
  }

  void clear(std::size_t keep_bytes) {
    events_.clear();
    arena_.reset(keep_bytes);
    bytes_ = boundary_ = boundary_bytes_ = 0;
    marked_ = false;
    progress = Progress{};
  }

  std::vector<Event>& events() { return events_; }
  const std::vector<Event>& events() const { return events_; }
  std::size_t bytes() const { return bytes_; }
  bool empty() const { return events_.empty(); }
  bool at_boundary() const { return boundary_ == events_.size(); }
  bool has_boundary() const { return marked_; }        // mark_boundary() was called since clear()
  std::size_t boundary() const { return boundary_; }   // events up to the last boundary
  const Position& position() const { return position_; }
  Lsn end_lsn() const { return end_lsn_; }

  // What is stored when the whole batch is handed over; filled in by the pipeline when it closes the batch. The source
  // sets `progress.snapshot` and `progress.state` at each boundary of the initial read.
  Progress progress;

 private:
  BatchLimits limits_;
  Arena arena_;
  std::vector<Event> events_;
  std::size_t bytes_ = 0;
  std::size_t boundary_ = 0;
  std::size_t boundary_bytes_ = 0;
  bool marked_ = false;
  Position position_;
  Lsn end_lsn_;
};

}  // namespace relay
