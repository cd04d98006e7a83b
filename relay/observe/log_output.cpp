// The only file that includes spdlog: its logger filters by level and flushes, its sink base class locks.
#include "relay/observe/log_output.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

#include "relay/base/clock.h"
#include "relay/observe/escape.h"
#include "relay/observe/log_lines.h"

namespace relay::observe {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

bool wants_colour(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && std::getenv("NO_COLOR") == nullptr &&
         (term == nullptr || std::string_view(term) != "dumb");
}

// Writes finished lines, and keeps one status line below them.
class ConsoleSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ConsoleSink(std::FILE* file) : file_(file) {}

  void show_status(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (!status_.empty()) put("\r\033[K");
    status_.clear();
    append_printable(status_, line);
    put(status_);
    std::fflush(file_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    if (!status_.empty()) put("\r\033[K");
    std::string line(msg.payload.data(), msg.payload.size());
    line += '\n';
    put(line);
    put(status_);
    if (!status_.empty()) std::fflush(file_);
  }
  void flush_() override { std::fflush(file_); }

 private:
  void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), file_); }

  std::FILE* file_;
  std::string status_;  // guarded by the base class's mutex_
};

class Console final : public ConsoleLog {
 public:
  Console(bool json, LogLevel level, std::FILE* file)
      : json_(json),
        colour_(!json && wants_colour(::fileno(file))),
        shows_status_(!json && ::isatty(::fileno(file)) == 1),
        sink_(std::make_shared<ConsoleSink>(file)),
        logger_("outbox-relay", sink_) {
    logger_.set_level(spdlog_level(level));
    logger_.flush_on(spdlog::level::info);
    // A full disk or a closed terminal must not end in an exception, nor in lines about it.
    logger_.set_error_handler([](const std::string&) {});
  }

  bool enabled(LogLevel level) const override { return logger_.should_log(spdlog_level(level)); }

  void write(LogLevel level, std::string_view event, std::string_view message, std::span<const LogField> bound,
             std::span<const LogField> fields) override {
    const LogRecord record{level, event, message, bound, fields, system_clock().unix_micros()};
    const auto line = json_ ? json_line(record) : text_line(record, colour_);
    logger_.log(spdlog_level(level), spdlog::string_view_t(line));
  }

  void show_status(std::string_view line) override {
    if (shows_status_) sink_->show_status(line);
  }
  bool shows_status() const override { return shows_status_; }
  bool writes_json() const override { return json_; }
  void flush() override { logger_.flush(); }

 private:
  const bool json_, colour_, shows_status_;
  std::shared_ptr<ConsoleSink> sink_;
  spdlog::logger logger_;
};

}  // namespace

std::shared_ptr<ConsoleLog> make_log_output(LogFormat format, LogLevel level, std::FILE* file) {
  const bool json = format == LogFormat::json || (format == LogFormat::automatic && ::isatty(::fileno(file)) != 1);
  return std::make_shared<Console>(json, level, file);
}

}  // namespace relay::observe
