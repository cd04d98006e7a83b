// What needs a process of its own: crashes, and signals that end it. Each runs in a forked child.
#include "relay/app/process.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "relay/app/stopper.h"
#include "try_command.h"

using namespace relay;
using namespace relay::app;
using namespace relay::app::test;

namespace {

struct Ended {
  int code = -1;  // exit code; -1 when a signal ended it
  std::string err;
};

// Runs `body` in a child.
template <typename Body>
Ended in_child(Body body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::cout.flush();  // or the child would write it once more
  const auto pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    body();
    ::_exit(99);
  }
  ::close(ends[1]);
  Ended ended;
  char chunk[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], chunk, sizeof chunk)) > 0;)
    ended.err.append(chunk, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

}  // namespace

TEST_CASE("a crash exits with 70 and says so") {
  const auto ended = in_child([] {
    prepare_process();
    ::raise(SIGSEGV);
  });
  CHECK(ended.code == 70);
  CHECK(ended.err.find("a bug: the process crashed (SIGSEGV)") != std::string::npos);
}

TEST_CASE("an uncaught exception, in any thread, exits with 70 and says what it was") {
  const auto ended = in_child([] {
    prepare_process();
    std::thread([] { throw std::runtime_error("out of luck"); }).join();
  });
  CHECK(ended.code == 70);
  CHECK(ended.err.find("an exception was not caught: out of luck") != std::string::npos);
}

TEST_CASE("writing to a closed pipe does not end the process") {
  const auto ended = in_child([] {
    prepare_process();
    int ends[2];
    [[maybe_unused]] const auto made = ::pipe(ends);
    ::close(ends[0]);
    [[maybe_unused]] const auto n = ::write(ends[1], "x", 1);
    ::_exit(7);
  });
  CHECK(ended.code == 7);
}

TEST_CASE("a signal that is sent to the process and to its group counts once") {
  const auto ended = in_child([] {
    Stopper stopper({});
    ::kill(::getpid(), SIGTERM);
    while (!stopper.token().stop_requested()) std::this_thread::yield();
    ::kill(::getpid(), SIGTERM);
    std::this_thread::sleep_for(Millis{300});
    ::_exit(5);
  });
  CHECK(ended.code == 5);
}

TEST_CASE("a file at its size limit is an error, not the end of the process") {
  const auto ended = in_child([] {
    prepare_process();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &none);
    std::FILE* file = std::tmpfile();
    const bool written = ::write(::fileno(file), "x", 1) == 1;
    ::_exit(written ? 8 : 7);
  });
  CHECK(ended.code == 7);
}

TEST_CASE("a second signal ends a run at once with 75") {
  const ConfigFile file(kOrders);
  const auto ended = in_child([&] {
    const auto world = std::make_shared<World>();
    world->sink_hangs = true;
    std::thread sender([world] {
      sigset_t all;  // this thread is older than the program's, and must not be the one that gets the signals
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
      while (!world->hanging) std::this_thread::sleep_for(Millis{2});
      ::kill(::getpid(), SIGTERM);
      std::this_thread::sleep_for(Millis{100});
      ::kill(::getpid(), SIGINT);
    });
    try_command(world, {"run", "-c", file.path()});
    sender.join();
  });
  CHECK(ended.code == 75);
}

TEST_CASE("a stop that does not end in time is ended with 75") {
  const auto ended = in_child([] {
    Stopper stopper({}, Millis{100});
    stopper.stop("test");
    std::this_thread::sleep_for(std::chrono::seconds(30));
  });
  CHECK(ended.code == 75);
}

TEST_CASE("a signal asks for the stop, and afterwards signals are as before") {
  {
    Stopper stopper({});
    ::kill(::getpid(), SIGTERM);
    while (!stopper.token().stop_requested()) std::this_thread::yield();
  }
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  CHECK(::sigismember(&mask, SIGTERM) == 0);
}
