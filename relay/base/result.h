// The one error type of the program, and Result<T>, which is a value or such an error.
//
// Foreign errors (exceptions, SQLSTATE, librdkafka codes) are translated once, at the edge of each connector, into an
// Error; from there on nobody throws. See relay/pipeline/error_policy.h for what is done about each kind.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace relay {

enum class ErrorKind {
  transient,  // worth another try, with backoff, for ever by default
  rejected,   // this event can never be delivered; the rest can
  fatal,      // no retry mends it: configuration, lost slot, refusal
  fenced,     // another instance has taken over; release the slot and start over
  corrupt,    // what was met contradicts what was stored; never skipped
  cancelled,  // we were told to stop
  busy,       // another instance holds the lock; wait as a standby
};

std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::transient;
  std::string code;     // stable snake_case, documented in relay/README.md: "slot_ahead_of_progress"
  std::string message;  // what was attempted, on what, why it failed; never a row value or a secret
  std::string hint;     // one thing to do; may be empty for transient errors

  // "message [code]\nhint: ..." as a person reads it.
  std::string text() const;
};

template <typename T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(code), std::move(message), std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace relay

// Returns the error of a Result-valued expression from the enclosing function. Statement only.
#define RELAY_TRY(expr)                                                        \
  do {                                                                         \
    if (auto relay_try_result = (expr); !relay_try_result)                     \
      return ::relay::fail(std::move(relay_try_result).error());               \
  } while (false)

// Declares `var` with the value of a Result-valued expression, or returns its error.
#define RELAY_CONCAT_INNER(a, b) a##b
#define RELAY_CONCAT(a, b) RELAY_CONCAT_INNER(a, b)
#define RELAY_ASSIGN(var, expr)                                                \
  auto RELAY_CONCAT(relay_assign_, __LINE__) = (expr);                         \
  if (!RELAY_CONCAT(relay_assign_, __LINE__))                                  \
    return ::relay::fail(std::move(RELAY_CONCAT(relay_assign_, __LINE__)).error()); \
  var = std::move(*RELAY_CONCAT(relay_assign_, __LINE__))
