// Programmer errors end the process (exit code 70 by way of SIGABRT's handler in relay/app); operating errors are
// Results. On in release builds: a broken invariant of the exactly-once protocol must never be carried on with.
#pragma once

namespace relay {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}

#define RELAY_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::relay::assertion_failed(#expression, __FILE__, __LINE__))
