#include "relay/app/process.h"

#include <execinfo.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <exception>

#include "relay/app/exit_code.h"

namespace relay::app {
namespace {

void say(const char* text) noexcept { [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text, std::strlen(text)); }

void say_where() noexcept {
  std::array<void*, 32> frames{};
  ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), static_cast<int>(frames.size())), STDERR_FILENO);
}

// Only calls that are safe in a signal handler.
extern "C" void on_crash(int signal) {
  say("outbox-relay: a bug: the process crashed (");
  switch (signal) {
    case SIGSEGV:
      say("SIGSEGV");
      break;
    case SIGBUS:
      say("SIGBUS");
      break;
    case SIGFPE:
      say("SIGFPE");
      break;
    case SIGILL:
      say("SIGILL");
      break;
    default:
      say("SIGABRT");
      break;
  }
  say("); nothing unfinished was confirmed, a restart goes on where the stored progress says. Frames:\n");
  say_where();
  ::_exit(to_int(ExitCode::bug));
}

[[noreturn]] void on_terminate() noexcept {
  say("outbox-relay: a bug: an exception was not caught");
  if (const auto thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      say(": ");
      say(e.what());
    } catch (...) {
      say(" (of an unknown type)");
    }
  }
  say("; nothing unfinished was confirmed. Frames:\n");
  say_where();
  ::_exit(to_int(ExitCode::bug));
}

}  // namespace

void prepare_process() noexcept {
  // Each thread that allocates would get an arena of its own (eight per core), and each keeps what was freed in it;
  // with two threads a pipeline and those of the client libraries that alone passes the memory bound. Two arenas are no
  // slower here, since batches do not allocate per event.
  ::mallopt(M_ARENA_MAX, 2);
  // Setting the thresholds stops glibc from raising them by itself: after one large row it would serve rows of that
  // size from the heap (up to 32 MiB) and give nothing back below twice that. A batch and a produce request stay below
  // them.
  ::mallopt(M_MMAP_THRESHOLD, 2 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);

  // A broken connection, a closed standard output or a file at its limit is an error of write(), not the process' end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  std::array<void*, 1> warm_up{};
  ::backtrace(warm_up.data(), 1);  // loads what it needs now, since a signal handler must not
  std::set_terminate(on_terminate);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, on_crash);
}

}  // namespace relay::app
