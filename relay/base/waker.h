// An eventfd: any thread wakes the one that polls fd(). Wakes before a poll are not lost; several count as one.
#pragma once

namespace relay {

class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void wake() noexcept;   // any thread, also a signal handler
  void clear() noexcept;  // the polling thread, after poll() showed fd() readable
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace relay
