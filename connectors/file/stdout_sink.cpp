#include "connectors/file/stdout_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>

#include "connectors/file/event_line.h"
#include "connectors/file/io_error.h"
#include "relay/base/assert.h"

namespace relay::connectors::file {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

Error write_error(int error_number) {
  if (error_number == EPIPE || error_number == EBADF)
    return {ErrorKind::fatal, "stdout_closed", "cannot write to standard output: its reader has gone",
            "start the relay again together with its reader; it goes on after the last acknowledged batch"};
  return io_error(error_number, "write to", "standard output");
}

// How much one write may carry so that it does not wait once poll() has said yes: on a pipe that is PIPE_BUF, a file
// takes anything, and a terminal is best served in small portions.
std::size_t slice_for(const struct stat& info) {
  if (S_ISREG(info.st_mode)) return kBufferBytes;
  return S_ISCHR(info.st_mode) ? 1024 : PIPE_BUF;
}

}  // namespace

Result<PeekedProgress> StdoutSink::peek_progress(Millis, std::stop_token) { return PeekedProgress{}; }
Result<std::optional<Progress>> StdoutSink::read_progress(Millis, std::stop_token) { return std::nullopt; }

Result<void> StdoutSink::open(Millis, std::stop_token) {
  close();
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return fail(write_error(errno));
  slice_bytes_ = slice_for(info);
  return {};
}

void StdoutSink::submit(const Batch& batch) {
  RELAY_ASSERT(slice_bytes_ > 0 && batch_ == nullptr);
  batch_ = &batch;
  next_event_ = 0;
}

std::optional<Delivery> StdoutSink::step(Millis wait) {
  if (batch_ == nullptr) return std::nullopt;
  const auto deadline = clock_.now() + wait;
  for (;;) {
    if (written_ == buffer_.size()) {
      written_ = 0;
      if (const auto filled = fill_with_lines(*batch_, next_event_, kBufferBytes, buffer_); !filled) {
        close();
        return Delivery::failed(filled.error());
      }
      if (buffer_.empty()) {
        batch_ = nullptr;
        return Delivery::durable();
      }
    }
    const auto left = std::chrono::ceil<Millis>(deadline - clock_.now());
    const auto wrote = write_slice(std::max(left, Millis(0)));
    if (!wrote) {
      close();
      return Delivery::failed(wrote.error());
    }
    if (!*wrote || clock_.now() >= deadline) return std::nullopt;
  }
}

// True when something was written, false when the reader took nothing for as long as `wait`.
Result<bool> StdoutSink::write_slice(Millis wait) {
  pollfd out{fd_, POLLOUT, 0};
  const auto ready = ::poll(&out, 1, static_cast<int>(wait.count()));
  if (ready < 0 && errno != EINTR) return fail(write_error(errno));
  if (ready <= 0) return false;
  const auto bytes = std::min(slice_bytes_, buffer_.size() - written_);
  const auto n = ::write(fd_, buffer_.data() + written_, bytes);
  if (n >= 0) {
    written_ += static_cast<std::size_t>(n);
    if (n > 0) inside_line_ = buffer_[written_ - 1] != '\n';
    return true;
  }
  if (errno == EAGAIN || errno == EINTR) return false;
  return fail(write_error(errno));
}

void StdoutSink::close() noexcept {
  batch_ = nullptr;
  const auto rest = std::string_view(buffer_).substr(written_);
  buffer_ = inside_line_ ? std::string(rest.substr(0, rest.find('\n') + 1)) : std::string();
  written_ = 0;
}

}  // namespace relay::connectors::file
