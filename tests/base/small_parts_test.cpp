// Result, Secret, Backoff, Waker and the Logger: a few lines each.
#include <doctest/doctest.h>
#include <poll.h>

#include <sstream>
#include <thread>

#include "relay/base/backoff.h"
#include "relay/base/log.h"
#include "relay/base/result.h"
#include "relay/base/secret.h"
#include "relay/base/waker.h"

using namespace relay;

namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorKind::rejected, "odd", "cannot halve an odd number", "give an even one");
  return n / 2;
}
Result<int> quarter(int n) {
  RELAY_ASSIGN(const int once, half(n));
  RELAY_TRY(half(once));
  return half(once);
}

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

struct Line {
  std::string event, message;
  std::vector<LogField> bound, fields;
};
class Recorder final : public LogOutput {
 public:
  bool enabled(LogLevel level) const override { return level >= LogLevel::info; }
  void write(LogLevel, std::string_view event, std::string_view message, std::span<const LogField> bound,
             std::span<const LogField> fields) override {
    lines.push_back(
        {std::string(event), std::string(message), {bound.begin(), bound.end()}, {fields.begin(), fields.end()}});
  }
  std::vector<Line> lines;
};

}  // namespace

TEST_CASE("an error passes through RELAY_TRY and RELAY_ASSIGN unchanged") {
  CHECK(quarter(8) == 2);
  CHECK(quarter(6).error().code == "odd");
  CHECK(quarter(3).error().text() == "cannot halve an odd number [odd]\nhint: give an even one");
}

TEST_CASE("an error without a code or a hint reads well") {
  CHECK(Error{ErrorKind::transient, "", "gone", ""}.text() == "gone");
  CHECK(to_string(ErrorKind::fenced) == "fenced");
}

TEST_CASE("a moved-from secret is empty, a copied one is not") {
  Secret a("hunter2");
  const Secret b = a;
  const Secret c = std::move(a);
  CHECK(a.empty());  // NOLINT: what a move leaves behind is promised
  CHECK(b.reveal() == "hunter2");
  CHECK(c == b);
  CHECK(Secret::kMasked == "***");
}

TEST_CASE("delays double up to their limit, with jitter between half and all") {
  Backoff backoff(Millis(100), Millis(1'000), 7);
  for (const int full : {100, 200, 400, 800, 1'000, 1'000}) {
    const auto delay = backoff.next();
    CHECK(delay >= Millis(full / 2));
    CHECK(delay <= Millis(full));
  }
  backoff.reset();
  CHECK(backoff.next() <= Millis(100));
}

TEST_CASE("the same seed gives the same delays") {
  Backoff a(Millis(100), Millis(1'000), 7), b(Millis(100), Millis(1'000), 7);
  for (int i = 0; i < 5; ++i) CHECK(a.next() == b.next());
}

TEST_CASE("a wake before the poll is not lost, and several count as one") {
  Waker waker;
  CHECK_FALSE(readable(waker.fd()));
  waker.wake();
  waker.wake();
  CHECK(readable(waker.fd()));
  waker.clear();
  CHECK_FALSE(readable(waker.fd()));
  waker.clear();  // nothing to clear: returns at once
}

TEST_CASE("a wake from another thread ends a poll") {
  Waker waker;
  std::jthread other([&] { waker.wake(); });
  pollfd p{waker.fd(), POLLIN, 0};
  CHECK(::poll(&p, 1, 10'000) == 1);
}

TEST_CASE("a logger adds its bound fields and drops what is not enabled") {
  const auto recorder = std::make_shared<Recorder>();
  const auto log = Logger(recorder).with({"pipeline", std::string("orders")});
  log.debug("quiet", "Not this.");
  log.info("loud", "This.", {{"n", std::int64_t{1}}});
  Logger().info("nowhere", "Fine.");
  REQUIRE(recorder->lines.size() == 1);
  CHECK(recorder->lines[0].event == "loud");
  CHECK(recorder->lines[0].bound.at(0).key == "pipeline");
  CHECK(recorder->lines[0].fields.at(0).key == "n");
}
