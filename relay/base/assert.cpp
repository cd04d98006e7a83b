#include "relay/base/assert.h"

#include <unistd.h>

#include <cstdio>

namespace relay {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "outbox-relay: a bug: '%s' does not hold at %s:%d; nothing unfinished was confirmed\n", expression,
               file, line);
  std::fflush(stderr);
  _exit(70);
}

}  // namespace relay
