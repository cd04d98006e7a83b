// Turns SIGTERM, SIGINT and SIGHUP into a stop request that is sure to end the process in time.
#pragma once

#include <atomic>
#include <csignal>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/waker.h"

namespace relay::app {

// Made before any other thread, since every thread inherits which signals are blocked: one thread of its own reads them
// from a file descriptor, and nothing runs inside a signal handler.
// The destructor gives the signals back, so that Ctrl-C ends the program while a question waits on the terminal.
// The first signal requests the stop. A second one, or `bound` later, ends the process at once with exit code 75: what
// was under way is decided by the next start. The same signal within 200 ms is not a second one.
class Stopper {
 public:
  explicit Stopper(Logger log, Millis bound = Millis{9500});
  ~Stopper();
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // What the first signal does, for another reason ("the time-out passed").
  void stop(const std::string& reason);

 private:
  void watch(const std::stop_token& done);
  [[noreturn]] void give_up(const std::string& why);

  Logger log_;
  const Millis bound_;
  const sigset_t mask_before_;
  const int signals_;  // signalfd
  Waker waker_;
  std::stop_source source_;
  std::atomic<bool> stopping_{false};
  std::jthread watcher_;  // last: uses all of the above
};

}  // namespace relay::app
