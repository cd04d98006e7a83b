// Events as JSON lines on standard output: the fastest way to see one's own events, and the way into any program that
// reads a pipe. At least once: the pipeline stores progress in the database after the lines are written, and what a
// pipe has taken nobody can take back.
#pragma once

#include <optional>
#include <string>

#include "relay/base/clock.h"
#include "relay/pipeline/sink.h"

namespace relay::connectors::file {

class StdoutSink final : public Sink {
 public:
  // `fd` is open for writing as long as the sink lives and is not closed by it. Its flags are left alone, because
  // standard output is often shared with other processes: no O_NONBLOCK.
  // REQUIRES: the process ignores SIGPIPE.
  StdoutSink(int fd, Clock& clock) : fd_(fd), clock_(clock) {}

  bool stores_progress() const override { return false; }
  Result<PeekedProgress> peek_progress(Millis timeout, std::stop_token stop) override;
  Result<void> open(Millis timeout, std::stop_token stop) override;
  Result<std::optional<Progress>> read_progress(Millis timeout, std::stop_token stop) override;
  std::string cluster_id() const override { return {}; }
  void submit(const Batch& batch) override;
  std::optional<Delivery> step(Millis wait) override;
  void close() noexcept override;

 private:
  Result<bool> write_slice(Millis wait);

  const int fd_;
  Clock& clock_;
  std::size_t slice_bytes_ = 0;  // what one write may carry without waiting for the reader

  const Batch* batch_ = nullptr;
  std::size_t next_event_ = 0;
  // Lines on their way out, from `written_` on. A line of which a part is written stays here over close(), so that a
  // restart of the pipeline never glues a new line to half an old one.
  std::string buffer_;
  std::size_t written_ = 0;
  bool inside_line_ = false;  // the reader has the beginning of a line whose end is still in the buffer
};

}  // namespace relay::connectors::file
