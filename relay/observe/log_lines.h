// One log record as one line of text or JSON. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "relay/base/log.h"

namespace relay::observe {

struct LogRecord {
  LogLevel level = LogLevel::info;
  std::string_view event;
  std::string_view message;
  std::span<const LogField> bound;   // of the Logger
  std::span<const LogField> fields;  // of this line; a key of the same name wins over a bound one
  std::int64_t unix_micros = 0;
};

std::string_view to_string(LogLevel level);

// RFC 3339, UTC: "2025-03-01T12:00:00.123456Z", or three decimals with `millis`.
std::string timestamp(std::int64_t unix_micros, bool millis = false);

// {"ts":...,"level":...,"event":...,"message":...,<fields>}: one line without its end, whatever the texts hold. Bytes
// that are no UTF-8 become U+FFFD; a field that is named like one of the four gets a trailing underscore; empty texts
// among the fields are left out.
std::string json_line(const LogRecord& record);

// "2025-03-01T12:00:00.123Z INFO  message key=value event=name", and the field `hint` on a line of its own. Control
// characters are escaped, so that no text can imitate another line or steer a terminal.
std::string text_line(const LogRecord& record, bool colour);

}  // namespace relay::observe
