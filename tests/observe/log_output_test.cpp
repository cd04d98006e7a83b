#include "relay/observe/log_output.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

using namespace relay;
using namespace relay::observe;

namespace {

// A file that is gone when the test ends; text() is what has been flushed to it.
class TemporaryFile {
 public:
  ~TemporaryFile() { std::fclose(file_); }
  std::FILE* get() { return file_; }
  std::string text() {
    std::string out(1 << 20, '\0');
    const auto n = ::pread(::fileno(file_), out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }

 private:
  std::FILE* file_ = std::tmpfile();
};

// What a terminal shows, up to `end`; after ten seconds without it, what there was. One read() is not enough: the
// kernel hands over what was written in pieces, when it has the time.
std::string shown_until(int master, std::string_view end) {
  using namespace std::chrono;
  const auto deadline = steady_clock::now() + seconds(10);
  std::string seen;
  while (!seen.ends_with(end)) {
    const auto left = duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    pollfd ready{master, POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) break;
    std::array<char, 4096> piece{};
    const auto n = ::read(master, piece.data(), piece.size());
    if (n <= 0) break;
    seen.append(piece.data(), static_cast<std::size_t>(n));
  }
  return seen;
}

}  // namespace

TEST_CASE("what is no terminal gets JSON lines, and no status line") {
  TemporaryFile file;
  const auto output = make_log_output(LogFormat::automatic, LogLevel::info, file.get());
  Logger(output).with({"pipeline", std::string("orders")}).info("started", "Running.", {{"n", std::int64_t{1}}});
  output->show_status("10 events");
  CHECK_FALSE(output->shows_status());
  const auto line = nlohmann::json::parse(file.text());
  CHECK(line["event"] == "started");
  CHECK(line["pipeline"] == "orders");
}

TEST_CASE("text can be asked for where there is no terminal, without colours") {
  TemporaryFile file;
  Logger(make_log_output(LogFormat::text, LogLevel::info, file.get())).warn("slow", "Slow.");
  CHECK(file.text().find("WARN  Slow. event=slow\n") != std::string::npos);
  CHECK(file.text().find('\033') == std::string::npos);
}

TEST_CASE("lines below the level are not written") {
  TemporaryFile file;
  const auto output = make_log_output(LogFormat::json, LogLevel::warn, file.get());
  const Logger log(output);
  log.info("a", "A.");
  log.warn("b", "B.");
  CHECK(file.text().find("\"a\"") == std::string::npos);
  CHECK(file.text().find("\"b\"") != std::string::npos);
  CHECK(output->enabled(LogLevel::error));
  CHECK_FALSE(output->enabled(LogLevel::info));
}

TEST_CASE("braces in a message are not taken for a format") {
  TemporaryFile file;
  Logger(make_log_output(LogFormat::json, LogLevel::info, file.get())).info("t", "topic {aggregate_type} {} {0}");
  CHECK(file.text().find("topic {aggregate_type} {} {0}") != std::string::npos);
}

TEST_CASE("an error is logged with its code as the event, its kind and its hint") {
  TemporaryFile file;
  const Logger log(make_log_output(LogFormat::json, LogLevel::info, file.get()));
  log.failure(LogLevel::error, Error{ErrorKind::fatal, "slot_missing", "There is no slot.", "create it"});
  const auto line = nlohmann::json::parse(file.text());
  CHECK(line["event"] == "slot_missing");
  CHECK(line["kind"] == "fatal");
  CHECK(line["hint"] == "create it");
}

TEST_CASE("lines of several threads do not tear each other") {
  TemporaryFile file;
  const Logger log(make_log_output(LogFormat::json, LogLevel::info, file.get()));
  constexpr int kThreads = 4, kLines = 500;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&log, t] {
        for (int i = 0; i < kLines; ++i) log.info("line", std::string(100, static_cast<char>('a' + t)));
      });
  }
  std::istringstream lines(file.text());
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) REQUIRE_NOTHROW(nlohmann::json::parse(line));
  CHECK(n == kThreads * kLines);
}

TEST_CASE("on a terminal a status line stays below the log lines and is rewritten in place") {
  int master = -1, terminal = -1;
  REQUIRE(::openpty(&master, &terminal, nullptr, nullptr, nullptr) == 0);
  std::FILE* file = ::fdopen(terminal, "w");
  {
    const auto output = make_log_output(LogFormat::automatic, LogLevel::info, file);
    CHECK(output->shows_status());
    output->show_status("10 events");
    Logger(output).info("x", "Line.");
    output->show_status("");
  }
  constexpr std::string_view kEnd = "\r\n10 events\r\033[K";
  const auto seen = shown_until(master, kEnd);
  std::fclose(file);
  ::close(master);
  CHECK(seen.rfind("10 events\r\033[K", 0) == 0);
  CHECK(seen.find("Line.") != std::string::npos);
  CHECK(seen.find(kEnd) == seen.size() - kEnd.size());
}
