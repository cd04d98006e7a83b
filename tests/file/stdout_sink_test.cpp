// What is special to the stdout sink, beyond the shared contract.
#include "connectors/file/stdout_sink.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "tests/contract/sink_contract_events.h"
#include "tests/file/line_reader.h"

using namespace relay;
using connectors::file::StdoutSink;
using contract::Stream;

namespace {

struct Pipe {
  Pipe() {
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  }
  ~Pipe() {
    close_reader();
    ::close(ends[1]);
  }
  void close_reader() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  std::string take() {
    std::string out;
    std::array<char, 65536> piece;
    for (ssize_t n; (n = ::read(ends[0], piece.data(), piece.size())) > 0;)
      out.append(piece.data(), static_cast<std::size_t>(n));
    return out;
  }
  std::array<int, 2> ends{};
};

Delivery drive(StdoutSink& sink, Pipe& pipe, std::string& text) {
  for (;;) {
    if (auto delivery = sink.step(Millis(10))) return *delivery;
    text += pipe.take();
  }
}

}  // namespace

TEST_CASE("a reader that goes away ends the pipeline with a clear error") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  StdoutSink sink(pipe.ends[1], system_clock());
  REQUIRE(sink.open(Millis(0), {}).has_value());
  pipe.close_reader();
  Stream stream;
  sink.submit(stream.batch(1));
  const auto delivery = sink.step(Millis(100));
  REQUIRE(delivery.has_value());
  CHECK(delivery->kind == Delivery::Kind::failed);
  CHECK(delivery->error.kind == ErrorKind::fatal);
  CHECK(delivery->error.code == "stdout_closed");
  CHECK(!delivery->outcome_unknown);
  std::signal(SIGPIPE, before);
}

TEST_CASE("a closed standard output is refused at the start") {
  int fd = -1;
  {
    Pipe pipe;
    fd = pipe.ends[1];
  }
  StdoutSink sink(fd, system_clock());
  const auto opened = sink.open(Millis(0), {});
  REQUIRE(!opened.has_value());
  CHECK(opened.error().code == "stdout_closed");
}

TEST_CASE("a slow reader is waited for without touching the flags of standard output") {
  Pipe pipe;
  const int flags = ::fcntl(pipe.ends[1], F_GETFL);
  StdoutSink sink(pipe.ends[1], system_clock());
  REQUIRE(sink.open(Millis(0), {}).has_value());
  Stream stream;
  sink.submit(stream.batch(2'000));
  for (int i = 0; i < 3; ++i) CHECK(!sink.step(Millis(30)));  // the pipe is full and nobody reads
  CHECK(::fcntl(pipe.ends[1], F_GETFL) == flags);
  std::string text;
  CHECK(drive(sink, pipe, text).kind == Delivery::Kind::durable);
  text += pipe.take();
  CHECK(test::read_lines(text) == stream.sent());
}

TEST_CASE("a restart in the middle of a line ends that line before anything else") {
  Pipe pipe;
  StdoutSink sink(pipe.ends[1], system_clock());
  REQUIRE(sink.open(Millis(0), {}).has_value());
  Stream stream;
  const auto& batch = stream.batch(2'000);
  sink.submit(batch);
  CHECK(!sink.step(Millis(10)));
  std::string text = pipe.take();
  REQUIRE(text.back() != '\n');
  sink.close();
  sink.close();
  REQUIRE(sink.open(Millis(0), {}).has_value());
  sink.submit(batch);
  CHECK(drive(sink, pipe, text).kind == Delivery::Kind::durable);
  text += pipe.take();
  const auto events = test::read_lines(text);
  REQUIRE(events.size() > 2'000);  // the first lines twice, each of them whole
  const auto again = events.size() - 2'000;
  CHECK(std::vector(events.begin() + static_cast<std::ptrdiff_t>(again), events.end()) == stream.sent());
  CHECK(events[again - 1] == events[2 * again - 1]);
}

TEST_CASE("files and sockets as standard output take the lines too") {
  Stream stream;
  const auto& batch = stream.batch(2'000);
  std::string text;
  SUBCASE("a file") {
    const test::TemporaryDirectory directory;
    const int fd = ::open((directory / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    StdoutSink sink(fd, system_clock());
    REQUIRE(sink.open(Millis(0), {}).has_value());
    sink.submit(batch);
    while (!sink.step(Millis(10))) continue;
    ::close(fd);
    text = test::content_of(directory / "out");
  }
  SUBCASE("a socket") {
    Pipe pipe;
    ::close(pipe.ends[0]);
    ::close(pipe.ends[1]);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe.ends.data()) == 0);
    REQUIRE(::fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK) == 0);
    StdoutSink sink(pipe.ends[1], system_clock());
    REQUIRE(sink.open(Millis(0), {}).has_value());
    sink.submit(batch);
    CHECK(drive(sink, pipe, text).kind == Delivery::Kind::durable);
    text += pipe.take();
  }
  CHECK(test::read_lines(text) == stream.sent());
}
