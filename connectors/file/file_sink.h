// Events as JSON lines in a file, exactly once: the lines are synced before the progress record that counts them is
// replaced, and what lies behind the counted bytes is cut off at the next open().
#pragma once

#include <optional>
#include <string>

#include "connectors/file/descriptor.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/pipeline/sink.h"

namespace relay::connectors::file {

class FileSink final : public Sink {
 public:
  // `path` is absolute. Beside it: `<path>.progress`, and `<path>.lock`, which its writer holds locked.
  FileSink(std::string pipeline, std::string path, Clock& clock, Logger log);
  ~FileSink() override { close(); }

  bool stores_progress() const override { return true; }
  Result<PeekedProgress> peek_progress(Millis timeout, std::stop_token stop) override;
  // Local work only, so time-out and stop have no say here. Kind busy, code file_locked, while another sink has it
  // open.
  Result<void> open(Millis timeout, std::stop_token stop) override;
  Result<std::optional<Progress>> read_progress(Millis timeout, std::stop_token stop) override;
  std::string cluster_id() const override { return {}; }
  void submit(const Batch& batch) override;
  // A sync of the disk cannot be interrupted and may outlast `wait`.
  std::optional<Delivery> step(Millis wait) override;
  void close() noexcept override;

 private:
  enum class Phase { write, sync, store };

  Result<void> lock();
  Result<void> open_file();
  Result<void> restore();
  Result<void> check_untouched() const;
  Result<void> advance(bool& outcome_unknown);
  Result<void> write_some();

  const std::string pipeline_, path_;
  Clock& clock_;
  const Logger log_;

  Descriptor lock_, file_;
  std::optional<Progress> stored_;  // as in the progress record
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t end_ = 0;  // of the file, with the lines that no record counts yet

  const Batch* batch_ = nullptr;
  Phase phase_ = Phase::write;
  std::size_t next_event_ = 0;
  bool done_ = false;
  std::string buffer_;  // lines on their way to the file; kept for its memory
};

}  // namespace relay::connectors::file
