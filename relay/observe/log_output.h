// Where log lines go: standard error, as text for people or as JSON lines for machines.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "relay/base/log.h"

namespace relay::observe {

enum class LogFormat {
  automatic,  // text on a terminal, JSON otherwise
  text,
  json,
};

// Thread-safe. Lines are written whole. From INFO on they are flushed at once: they are few, and a killed process must
// have said what it did.
class ConsoleLog : public LogOutput {
 public:
  // A line below the log that is rewritten in place ("" takes it away), for `drain`. Shown on a terminal in text format
  // only; nothing otherwise.
  virtual void show_status(std::string_view line) = 0;
  virtual bool shows_status() const = 0;
  virtual bool writes_json() const = 0;
  virtual void flush() = 0;
};

// `file` stays open until the output is gone. Colour only on a terminal, unless NO_COLOR is set or TERM is "dumb".
std::shared_ptr<ConsoleLog> make_log_output(LogFormat format, LogLevel level, std::FILE* file = stderr);

}  // namespace relay::observe
