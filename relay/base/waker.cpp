#include "relay/base/waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "relay/base/assert.h"

namespace relay {

Waker::Waker() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { RELAY_ASSERT(fd_ >= 0); }

Waker::~Waker() { ::close(fd_); }

void Waker::wake() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(fd_, &one, sizeof one);  // EAGAIN means it is awake already
}

void Waker::clear() noexcept {
  std::uint64_t count;
  [[maybe_unused]] auto n = ::read(fd_, &count, sizeof count);
}

}  // namespace relay
