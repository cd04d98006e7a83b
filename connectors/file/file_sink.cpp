#include "connectors/file/file_sink.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "connectors/file/event_line.h"
#include "connectors/file/io_error.h"
#include "connectors/file/progress_file.h"
#include "relay/base/assert.h"

namespace relay::connectors::file {
namespace {

constexpr std::size_t kWriteBytes = 256 * 1024;

}  // namespace

FileSink::FileSink(std::string pipeline, std::string path, Clock& clock, Logger log)
    : pipeline_(std::move(pipeline)), path_(std::move(path)), clock_(clock), log_(std::move(log)) {}

Result<PeekedProgress> FileSink::peek_progress(Millis, std::stop_token) {
  RELAY_ASSIGN(const auto found, read_progress_file(path_));
  if (!found) return PeekedProgress{};
  return PeekedProgress{found->progress};
}

Result<void> FileSink::open(Millis, std::stop_token) {
  close();
  const auto opened = [&]() -> Result<void> {
    RELAY_TRY(lock());
    RELAY_TRY(open_file());
    return restore();
  }();
  if (!opened) close();
  return opened;
}

// A lock file of its own, since the progress record is replaced and the file itself may be moved by people.
Result<void> FileSink::lock() {
  const auto name = path_ + ".lock";
  lock_ = Descriptor(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock_) return fail(io_error(errno, "create", name));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return fail(io_error(errno, "lock", name));
  return fail(ErrorKind::busy, "file_locked", "cannot write to " + path_ + ": another relay holds " + name,
              "give every pipeline a sink.path of its own, or let the other relay end");
}

Result<void> FileSink::open_file() {
  // Without O_NONBLOCK the open of a named pipe would wait for its reader.
  file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640));
  if (!file_ && errno != ENXIO) return fail(io_error(errno, "open", path_));
  struct stat info {};
  if (file_ && ::fstat(file_.get(), &info) != 0) return fail(io_error(errno, "look at", path_));
  if (!file_ || !S_ISREG(info.st_mode))
    return fail(ErrorKind::fatal, "file_not_regular",
                path_ + " is a pipe or a device, which cannot be cut back after a crash",
                "name a regular file, or use sink.type stdout and redirect it");
  end_ = static_cast<std::uint64_t>(info.st_size);
  return {};
}

// Makes file and record agree. Afterwards there is always a record, so that the first lines are counted from the start.
Result<void> FileSink::restore() {
  RELAY_ASSIGN(const auto found, read_progress_file(path_));
  RELAY_TRY(agree(pipeline_, path_, end_, found));
  stored_ = found ? found->progress : std::nullopt;
  stored_bytes_ = found ? found->file_bytes : 0;
  if (end_ > stored_bytes_) {
    log_.warn("file_tail_cut", "cut off the lines of a batch that was not finished",
              {{"path", path_}, {"bytes", end_ - stored_bytes_}});
    if (::ftruncate(file_.get(), static_cast<off_t>(stored_bytes_)) != 0) return fail(io_error(errno, "cut", path_));
    end_ = stored_bytes_;
  }
  if (found) return {};
  bool maybe_stored = false;
  return write_progress_file(path_, {0, std::nullopt}, maybe_stored);
}

Result<std::optional<Progress>> FileSink::read_progress(Millis, std::stop_token) {
  RELAY_ASSERT(file_);
  return stored_;
}

void FileSink::submit(const Batch& batch) {
  RELAY_ASSERT(file_ && batch_ == nullptr);
  batch_ = &batch;
  phase_ = Phase::write;
  next_event_ = 0;
  done_ = false;
}

std::optional<Delivery> FileSink::step(Millis wait) {
  if (batch_ == nullptr) return std::nullopt;
  const auto deadline = clock_.now() + wait;
  do {
    bool outcome_unknown = false;
    if (const auto advanced = advance(outcome_unknown); !advanced) {
      close();
      return Delivery::failed(advanced.error(), outcome_unknown);
    }
    if (done_) {
      batch_ = nullptr;
      return Delivery::durable();
    }
  } while (clock_.now() < deadline);
  return std::nullopt;
}

Result<void> FileSink::advance(bool& outcome_unknown) {
  switch (phase_) {
    case Phase::write:
      if (next_event_ == 0) RELAY_TRY(check_untouched());
      if (next_event_ < batch_->events().size()) return write_some();
      phase_ = end_ == stored_bytes_ ? Phase::store : Phase::sync;
      return {};
    case Phase::sync:
      if (::fdatasync(file_.get()) != 0) return fail(io_error(errno, "sync", path_));
      phase_ = Phase::store;
      return {};
    case Phase::store:
      RELAY_TRY(write_progress_file(path_, {end_, batch_->progress}, outcome_unknown));
      stored_ = batch_->progress;
      stored_bytes_ = end_;
      done_ = true;
      return {};
  }
  return {};
}

// A file that was moved, emptied or written to by others would make the count a lie.
Result<void> FileSink::check_untouched() const {
  struct stat ours {
  }, named{};
  if (::fstat(file_.get(), &ours) != 0) return fail(io_error(errno, "look at", path_));
  const bool there = ::stat(path_.c_str(), &named) == 0 && named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
  if (there && static_cast<std::uint64_t>(ours.st_size) == end_) return {};
  return fail(ErrorKind::corrupt, "file_changed_underneath",
              path_ + (there ? " was written to or emptied by somebody else" : " was moved or removed") +
                  " while the relay had it open",
              "put the file back as it was, and rotate it only as connectors/file/README.md says");
}

Result<void> FileSink::write_some() {
  RELAY_TRY(fill_with_lines(*batch_, next_event_, kWriteBytes, buffer_));
  RELAY_TRY(write_all(file_.get(), buffer_, end_, path_));
  end_ += buffer_.size();
  return {};
}

void FileSink::close() noexcept {
  batch_ = nullptr;
  file_ = Descriptor();
  lock_ = Descriptor();
}

}  // namespace relay::connectors::file
