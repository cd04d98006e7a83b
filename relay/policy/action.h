// What is done with one value: text in, text out. A policy has one object per rule, since each may have a key of its
// own. An action touches nothing but the value that it is given. Not thread-safe: each pipeline has its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relay::policy {

// A string without its quotes and escapes, a number as it is written, "true" or "false". Actions never see null,
// objects and arrays: null has nothing to hide and stays, the others are a wrong type.
struct Scalar {
  enum class Type : std::uint8_t { string, number, boolean };
  Type type = Type::string;
  std::string_view text;
};

enum class Changed : std::uint8_t {
  no,          // the value leaves as it stands
  to_text,     // `out` is the text that takes its place
  to_number,   // `out` is a number
  wrong_type,  // this action is not for such a value: the event is rejected
};

class Action {
 public:
  virtual ~Action() = default;
  // `out` is empty at first. Its contents count only with to_text and to_number.
  virtual Changed apply(const Scalar& value, std::string& out) = 0;
};

}  // namespace relay::policy
