// What is done about each kind of error: one table, used by the pipeline and by the program's exit code.
#pragma once

#include "relay/base/result.h"

namespace relay {

enum class Reaction {
  restart,  // give the lock back, wait with backoff, begin at the start
  wait,     // another instance has the lock: try again as a standby, without counting it as a failure
  stop,     // the pipeline ends; a person must act
};

constexpr Reaction reaction_to(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::transient:
    case ErrorKind::fenced: return Reaction::restart;
    case ErrorKind::busy: return Reaction::wait;
    case ErrorKind::rejected:
    case ErrorKind::fatal:
    case ErrorKind::corrupt:
    case ErrorKind::cancelled: return Reaction::stop;
  }
  return Reaction::stop;
}

}  // namespace relay
