#include "relay/app/stopper.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include "relay/app/exit_code.h"
#include "relay/base/assert.h"

namespace relay::app {
namespace {

// timeout(1) and a terminal signal the process and then its group: the same signal, twice at once.
constexpr Millis kSameSignal{200};

sigset_t current_mask() {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return mask;
}

int block_and_open() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    // Under nohup, or in the background of a script, a signal may be ignored on purpose.
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) ::sigaddset(&set, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

std::optional<int> read_signal(int fd) {
  signalfd_siginfo info{};
  if (::read(fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

std::string name_of(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace

Stopper::Stopper(Logger log, Millis bound)
    : log_(std::move(log)), bound_(bound), mask_before_(current_mask()), signals_(block_and_open()) {
  RELAY_ASSERT(signals_ >= 0);
  watcher_ = std::jthread([this](const std::stop_token& done) { watch(done); });
}

Stopper::~Stopper() {
  watcher_.request_stop();
  waker_.wake();
  watcher_.join();
  ::close(signals_);
  ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Stopper::stop(const std::string& reason) {
  if (stopping_.exchange(true)) return;
  log_.info("stopping", "finishing what is in flight", {{"reason", reason}});
  source_.request_stop();
  waker_.wake();  // the watcher starts to count
}

void Stopper::watch(const std::stop_token& done) {
  ::pthread_setname_np(::pthread_self(), "signals");
  std::optional<SteadyTime> until;
  int first = 0;
  SteadyTime first_at{};
  while (!done.stop_requested()) {
    if (stopping_ && !until) until = system_clock().now() + bound_;
    int wait = -1;
    if (until) wait = static_cast<int>(std::chrono::ceil<Millis>(*until - system_clock().now()).count());
    std::array<pollfd, 2> fds{{{signals_, POLLIN, 0}, {waker_.fd(), POLLIN, 0}}};
    if (until && wait <= 0) give_up("not everything ended within " + std::to_string(bound_.count() / 1000) + " s");
    if (::poll(fds.data(), fds.size(), wait) <= 0) continue;
    if ((fds[1].revents & POLLIN) != 0) waker_.clear();
    const auto signal = read_signal(signals_);
    if (!signal) continue;
    const auto now = system_clock().now();
    if (*signal == first && now - first_at < kSameSignal) continue;
    if (stopping_) give_up("a second signal (" + name_of(*signal) + ")");
    first = *signal;
    first_at = now;
    stop(name_of(*signal));
  }
}

void Stopper::give_up(const std::string& why) {
  log_.warn("stopped_at_once", why + "; the next start decides what was under way");
  ::_exit(to_int(ExitCode::try_again));
}

}  // namespace relay::app
