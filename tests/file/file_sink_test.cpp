// What is special to the file sink, beyond the shared contract.
#include "connectors/file/file_sink.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "connectors/file/io_error.h"
#include "connectors/file/progress_file.h"
#include "tests/contract/sink_contract_events.h"
#include "tests/file/line_reader.h"

using namespace relay;
using connectors::file::FileSink;
using connectors::file::read_progress_file;
using contract::Stream;
using test::content_of;
using test::TemporaryDirectory;
using test::write_file;

namespace {

FileSink sink_at(const std::string& path, const std::string& pipeline = contract::kPipeline) {
  return FileSink(pipeline, path, system_clock(), Logger());
}

Delivery drive(FileSink& sink) {
  for (;;)
    if (auto delivery = sink.step(Millis(100))) return *delivery;
}

void deliver(FileSink& sink, const Batch& batch) {
  sink.submit(batch);
  const auto delivery = drive(sink);
  REQUIRE_MESSAGE(delivery.kind == Delivery::Kind::durable, delivery.error.text());
}

void open(FileSink& sink) {
  const auto opened = sink.open(Millis(0), {});
  REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text()));
}

void check_refused(FileSink& sink, ErrorKind kind, const std::string& code) {
  const auto opened = sink.open(Millis(0), {});
  REQUIRE(!opened.has_value());
  INFO(opened.error().text());
  CHECK(opened.error().kind == kind);
  CHECK(opened.error().code == code);
  CHECK(!opened.error().hint.empty());
}

}  // namespace

TEST_CASE("lines behind the counted bytes are cut off when the file is opened") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  {
    auto sink = sink_at(path);
    open(sink);
    deliver(sink, stream.batch(3));
  }
  const auto counted = content_of(path);
  write_file(path, counted + "{\"sequence\":4,\"id\":\"half a li");
  auto sink = sink_at(path);
  open(sink);
  CHECK(content_of(path) == counted);
  deliver(sink, stream.batch(2));
  CHECK(test::read_lines(content_of(path)) == stream.sent());
}

TEST_CASE("the very first batch is cut off too when it was not finished") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  const auto& batch = stream.batch(5'000);
  {
    auto sink = sink_at(path);
    open(sink);
    sink.submit(batch);
    CHECK(!sink.step(Millis(0)));
  }
  CHECK(!content_of(path).empty());
  auto sink = sink_at(path);
  open(sink);
  CHECK(content_of(path).empty());
  CHECK(!*sink.read_progress(Millis(0), {}));
}

TEST_CASE("a file that is shorter than its progress is refused and left as it is") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  {
    auto sink = sink_at(path);
    open(sink);
    deliver(sink, stream.batch(3));
  }
  const auto progress = content_of(path + ".progress");
  write_file(path, "short\n");
  auto sink = sink_at(path);
  check_refused(sink, ErrorKind::corrupt, "file_shorter_than_progress");
  CHECK(content_of(path) == "short\n");
  std::filesystem::remove(path);
  check_refused(sink, ErrorKind::corrupt, "file_shorter_than_progress");
  CHECK(content_of(path + ".progress") == progress);
}

TEST_CASE("a file with content but without progress is refused and left as it is") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  write_file(path, "somebody's notes\n");
  auto sink = sink_at(path);
  check_refused(sink, ErrorKind::fatal, "file_without_progress");
  CHECK(content_of(path) == "somebody's notes\n");
  CHECK(!std::filesystem::exists(path + ".progress"));
}

TEST_CASE("an unreadable progress record is refused and left as it is") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  for (const auto* text : {"", "{}", "{\"file_bytes\":", "{\"file_bytes\":x,\"progress\":null}\n",
                           "{\"file_bytes\":0,\"progress\":{\"no\":1}}\n", "{\"file_bytes\":0,\"progress\":null}"}) {
    CAPTURE(text);
    write_file(path + ".progress", text);
    auto sink = sink_at(path);
    check_refused(sink, ErrorKind::corrupt, "progress_unreadable");
    const auto peeked = sink.peek_progress(Millis(0), {});
    REQUIRE(!peeked.has_value());
    CHECK(peeked.error().message.find(path) != std::string::npos);
    CHECK(content_of(path + ".progress") == text);
  }
}

TEST_CASE("another pipeline's file is refused") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  {
    auto sink = sink_at(path);
    open(sink);
    deliver(sink, stream.batch(1));
  }
  auto other = sink_at(path, "other");
  check_refused(other, ErrorKind::fatal, "file_of_other_pipeline");
}

TEST_CASE("a second relay on the same file is busy until the first one closes") {
  const TemporaryDirectory directory;
  auto first = sink_at(directory / "events.jsonl");
  auto second = sink_at(directory / "events.jsonl");
  open(first);
  check_refused(second, ErrorKind::busy, "file_locked");
  Stream stream;
  deliver(first, stream.batch(1));
  first.close();
  open(second);
  check_refused(first, ErrorKind::busy, "file_locked");
}

TEST_CASE("places that can hold no events are refused with what is wrong") {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "folder");
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  write_file(directory / "plain", "");
  struct Case {
    std::string path, code;
  };
  for (const auto& c : {Case{directory / "missing/events.jsonl", "file_directory_missing"},
                        Case{directory / "plain/events.jsonl", "file_directory_missing"},
                        Case{directory / "folder", "file_is_directory"}, Case{directory / "pipe", "file_not_regular"},
                        Case{directory / std::string(300, 'x'), "file_path_invalid"}}) {
    CAPTURE(c.path);
    auto sink = sink_at(c.path);
    check_refused(sink, ErrorKind::fatal, c.code);
  }
}

TEST_CASE("a file that is emptied, written to or moved while it is open ends the pipeline instead of losing events") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  auto sink = sink_at(path);
  open(sink);
  deliver(sink, stream.batch(3));
  SUBCASE("emptied") { write_file(path, ""); }
  SUBCASE("written to") { write_file(path, content_of(path) + "x"); }
  SUBCASE("moved") { std::filesystem::rename(path, path + ".1"); }
  SUBCASE("replaced") {
    std::filesystem::rename(path, path + ".1");
    std::filesystem::copy_file(path + ".1", path);
  }
  sink.submit(stream.batch(3));
  const auto delivery = drive(sink);
  CHECK(delivery.kind == Delivery::Kind::failed);
  CHECK(delivery.error.kind == ErrorKind::corrupt);
  CHECK(delivery.error.code == "file_changed_underneath");
  CHECK(!delivery.outcome_unknown);
}

TEST_CASE("peek_progress() makes no files") {
  const TemporaryDirectory directory;
  auto sink = sink_at(directory / "events.jsonl");
  CHECK(!sink.peek_progress(Millis(0), {})->progress);
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("the system's errors are told apart: wait, or call a person") {
  using connectors::file::io_error;
  CHECK(io_error(ENOSPC, "write to", "/x").kind == ErrorKind::transient);
  CHECK(io_error(ENOSPC, "write to", "/x").code == "disk_full");
  CHECK(io_error(EDQUOT, "write to", "/x").code == "disk_full");
  CHECK(io_error(EIO, "sync", "/x").kind == ErrorKind::transient);
  CHECK(io_error(EIO, "sync", "/x").code == "file_io_failed");
  CHECK(io_error(EACCES, "open", "/x").kind == ErrorKind::fatal);
  CHECK(io_error(EACCES, "open", "/x").code == "file_permission_denied");
  CHECK(io_error(EROFS, "open", "/x").code == "file_permission_denied");
  CHECK(io_error(EACCES, "open", "/x").message == "cannot open /x: Permission denied");
}

TEST_CASE("a write that the system refuses fails the batch, and the next open() cuts it off") {
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  Stream stream;
  const auto& small = stream.batch(3);
  const auto& large = stream.batch(5'000);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // a process of its own, since a file size limit cannot be taken back
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto sink = sink_at(path);
    if (!sink.open(Millis(0), {})) ::_exit(1);
    sink.submit(small);
    if (drive(sink).kind != Delivery::Kind::durable) ::_exit(2);
    sink.submit(large);
    const auto delivery = drive(sink);
    ::_exit(delivery.kind == Delivery::Kind::failed && delivery.error.code == "file_too_large" ? 0 : 3);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  CHECK(std::filesystem::file_size(path) == 100'000);
  auto sink = sink_at(path);
  open(sink);
  CHECK(test::read_lines(content_of(path)).size() == 3);
  CHECK(sink.read_progress(Millis(0), {}).value()->sequence == 3);
  deliver(sink, large);
  CHECK(test::read_lines(content_of(path)) == stream.sent());
}

namespace {

void fill(Batch& batch, std::uint64_t after, std::size_t events) {
  batch.clear(1 << 20);
  for (std::size_t i = 1; i <= events; ++i) {
    auto& event = batch.add(100);
    event.sequence = after + i;
    event.id = batch.arena().copy(std::to_string(event.sequence));
    event.aggregate_type = event.aggregate_id = event.event_type = "x";
    event.payload =
        "{\"note\":\"a payload of some length, so that a batch takes several writes to get into the file\"}";
  }
  batch.progress.pipeline = contract::kPipeline;
  batch.progress.sequence = after + events;
}

// Delivers for ever, from where the file says on; each acknowledged sequence goes down the pipe.
[[noreturn]] void deliver_until_killed(const std::string& path, int acknowledged, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto sink = sink_at(path);
  if (!sink.open(Millis(0), {})) ::_exit(1);
  const auto stored = *sink.read_progress(Millis(0), {});
  std::uint64_t sequence = stored ? stored->sequence : 0;
  Batch batch;
  for (;;) {
    fill(batch, sequence, random() % 4'000);
    sink.submit(batch);
    if (drive(sink).kind != Delivery::Kind::durable) ::_exit(2);
    sequence = batch.progress.sequence;
    if (::write(acknowledged, &sequence, sizeof sequence) != sizeof sequence) ::_exit(3);
  }
}

std::uint64_t last_in(int pipe) {
  std::uint64_t last = 0;
  for (std::uint64_t n; ::read(pipe, &n, sizeof n) == sizeof n;) last = n;
  return last;
}

}  // namespace

TEST_CASE("kill -9 at random moments neither loses, doubles nor reorders an event") {
  const char* given = std::getenv("RELAY_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  MESSAGE("RELAY_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  const TemporaryDirectory directory;
  const auto path = directory / "events.jsonl";
  int unfinished = 0;
  for (int round = 0; round < 40; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const auto child_seed = random();
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) deliver_until_killed(path, ends[1], child_seed);
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(2'000 + random() % 40'000));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const auto acknowledged = last_in(ends[0]);
    ::close(ends[0]);

    const auto stored = read_progress_file(path);
    REQUIRE(stored.has_value());
    const auto sequence = *stored && (*stored)->progress ? (*stored)->progress->sequence : 0;
    CHECK(sequence >= acknowledged);
    const auto text = content_of(path);
    unfinished += *stored && text.size() > (*stored)->file_bytes;
  }
  auto sink = sink_at(path);
  open(sink);
  const auto stored = *sink.read_progress(Millis(0), {});
  REQUIRE(stored.has_value());
  const auto events = test::read_lines(content_of(path));
  REQUIRE(events.size() == stored->sequence);
  for (std::size_t i = 0; i < events.size(); ++i) REQUIRE(events[i].sequence == i + 1);
  MESSAGE(events.size() << " events, " << unfinished << " of 40 kills left an unfinished batch");
  CHECK(unfinished > 0);
}
