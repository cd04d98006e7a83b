// The shared sink contract, kept by the file sink, and by the stdout sink on a pipe.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "connectors/file/file_sink.h"
#include "connectors/file/progress_file.h"
#include "connectors/file/stdout_sink.h"
#include "tests/contract/sink_contract.h"
#include "tests/file/line_reader.h"

namespace {

using relay::contract::ReadEvent;

struct FilePlace {
  std::unique_ptr<relay::Sink> make() {
    return std::make_unique<relay::connectors::file::FileSink>(relay::contract::kPipeline, path(),
                                                               relay::system_clock(), relay::Logger());
  }
  // What the progress record counts is what is durable; the rest is cut off at the next open().
  std::vector<ReadEvent> read() {
    const auto stored = relay::connectors::file::read_progress_file(path());
    REQUIRE(stored.has_value());
    const auto bytes = *stored ? (*stored)->file_bytes : 0;
    const auto text = relay::test::content_of(path());
    REQUIRE(text.size() >= bytes);
    return relay::test::read_lines(std::string_view(text).substr(0, bytes));
  }
  void pump() {}
  void break_place() { std::filesystem::rename(directory_ / "data", directory_ / "away"); }
  void mend_place() { std::filesystem::rename(directory_ / "away", directory_ / "data"); }

  FilePlace() { std::filesystem::create_directory(directory_ / "data"); }
  std::string path() const { return directory_ / "data/events.jsonl"; }
  relay::test::TemporaryDirectory directory_;
};

struct PipePlace {
  PipePlace() {
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
  }
  ~PipePlace() {
    for (const int fd : ends_) ::close(fd);
  }
  PipePlace(const PipePlace&) = delete;
  PipePlace& operator=(const PipePlace&) = delete;

  std::unique_ptr<relay::Sink> make() {
    return std::make_unique<relay::connectors::file::StdoutSink>(ends_[1], relay::system_clock());
  }
  std::vector<ReadEvent> read() {
    pump();
    return relay::test::read_lines(text_);
  }
  void pump() {
    std::array<char, 65536> piece;
    for (ssize_t n; (n = ::read(ends_[0], piece.data(), piece.size())) > 0;)
      text_.append(piece.data(), static_cast<std::size_t>(n));
  }

  std::array<int, 2> ends_{};
  std::string text_;
};

}  // namespace

RELAY_SINK_CONTRACT(FilePlace)
RELAY_SINK_CONTRACT(PipePlace)
