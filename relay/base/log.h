// Structured logging behind an interface: relay/observe writes it out (spdlog), everyone else holds a Logger by value.
// INFO: start, stop, reconnect. WARN: recovered, nothing lost. ERROR: a person must act. Nothing per event above TRACE.
// Never a row value, a payload or a secret: log ids, counts, LSNs, table names.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "relay/base/result.h"

namespace relay {

enum class LogLevel { trace, debug, info, warn, error };

using LogValue = std::variant<std::string, std::int64_t, std::uint64_t, double, bool>;
struct LogField {
  std::string key;
  LogValue value;
};

// Thread-safe.
class LogOutput {
 public:
  virtual ~LogOutput() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view event, std::string_view message,
                     std::span<const LogField> bound, std::span<const LogField> fields) = 0;
};

// Cheap to copy; copies write to the same output. A default Logger writes nowhere.
class Logger {
 public:
  using Fields = std::initializer_list<LogField>;

  Logger() = default;
  explicit Logger(std::shared_ptr<LogOutput> output) : output_(std::move(output)) {}

  // A Logger that adds these fields to every line, for example {"pipeline", "orders"}.
  Logger with(LogField field) const {
    auto copy = *this;
    copy.bound_.push_back(std::move(field));
    return copy;
  }

  // `event` is a stable snake_case name; `message` is a sentence.
  void log(LogLevel level, std::string_view event, std::string_view message, Fields fields = {}) const {
    if (output_ && output_->enabled(level))
      output_->write(level, event, message, bound_, std::span(fields.begin(), fields.size()));
  }
  void debug(std::string_view e, std::string_view m, Fields f = {}) const { log(LogLevel::debug, e, m, f); }
  void info(std::string_view e, std::string_view m, Fields f = {}) const { log(LogLevel::info, e, m, f); }
  void warn(std::string_view e, std::string_view m, Fields f = {}) const { log(LogLevel::warn, e, m, f); }
  void error(std::string_view e, std::string_view m, Fields f = {}) const { log(LogLevel::error, e, m, f); }
  // An Error as a line: event = its code, fields kind and hint.
  void failure(LogLevel level, const Error& error) const {
    log(level, error.code, error.message,
        {{"kind", std::string(to_string(error.kind))}, {"hint", error.hint}});
  }

 private:
  std::shared_ptr<LogOutput> output_;
  std::vector<LogField> bound_;
};

}  // namespace relay
