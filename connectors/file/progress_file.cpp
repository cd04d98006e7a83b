#include "connectors/file/progress_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "connectors/file/descriptor.h"
#include "connectors/file/io_error.h"
#include "relay/pipeline/progress_json.h"

namespace relay::connectors::file {
namespace {

constexpr std::string_view kBytesKey = "{\"file_bytes\":";
constexpr std::string_view kProgressKey = ",\"progress\":";
constexpr std::string_view kEnd = "}\n";

std::string to_text(const StoredProgress& stored) {
  auto text = std::string(kBytesKey) + std::to_string(stored.file_bytes);
  text += kProgressKey;
  text += stored.progress ? progress_to_json(*stored.progress) : "null";
  text += kEnd;
  return text;
}

// Only this file writes the record, so its form is known to the byte and needs no parser.
Result<StoredProgress> from_text(std::string_view text, const std::string& path) {
  const auto unreadable = [&] {
    return fail(ErrorKind::corrupt, "progress_unreadable", path + " is no progress record of a file sink",
                "restore it from a copy; without it the relay cannot tell what it has handed over");
  };
  if (!text.starts_with(kBytesKey) || !text.ends_with(kEnd)) return unreadable();
  StoredProgress stored;
  const char* const digits = text.data() + kBytesKey.size();
  const auto number = std::from_chars(digits, text.data() + text.size(), stored.file_bytes);
  if (number.ec != std::errc()) return unreadable();
  text.remove_prefix(static_cast<std::size_t>(number.ptr - text.data()));
  if (!text.starts_with(kProgressKey)) return unreadable();
  text.remove_prefix(kProgressKey.size());
  text.remove_suffix(kEnd.size());
  if (text == "null") return stored;
  auto progress = progress_from_json(text);
  if (!progress) {
    progress.error().message = path + ": " + progress.error().message;
    return fail(std::move(progress).error());
  }
  stored.progress = std::move(*progress);
  return stored;
}

Result<std::string> read_whole(int fd, const std::string& path) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const auto n = ::read(fd, piece.data(), piece.size());
    if (n == 0) return text;
    if (n > 0) {
      text.append(piece.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return fail(io_error(errno, "read", path));
    }
  }
}

// A renamed or created file survives a power cut only when its directory is written too.
Result<void> sync_directory(const std::string& path) {
  const auto name = directory_of(path);
  const Descriptor directory(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return fail(io_error(errno, "sync the directory", name));
  return {};
}

Result<void> write_temporary(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (!file) return fail(io_error(errno, "create", path));
  RELAY_TRY(write_all(file.get(), text, 0, path));
  if (::fsync(file.get()) != 0) return fail(io_error(errno, "sync", path));
  return {};
}

}  // namespace

std::string progress_path(const std::string& path) { return path + ".progress"; }

Result<std::optional<StoredProgress>> read_progress_file(const std::string& path) {
  const auto name = progress_path(path);
  const Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(io_error(errno, "open", name));
  RELAY_ASSIGN(const auto text, read_whole(file.get(), name));
  RELAY_ASSIGN(auto stored, from_text(text, name));
  return stored;
}

Result<void> write_progress_file(const std::string& path, const StoredProgress& stored, bool& maybe_stored) {
  maybe_stored = false;
  const auto name = progress_path(path);
  const auto temporary = name + ".new";
  RELAY_TRY(write_temporary(temporary, to_text(stored)));
  maybe_stored = true;
  if (::rename(temporary.c_str(), name.c_str()) != 0) return fail(io_error(errno, "replace", name));
  return sync_directory(name);
}

Result<void> agree(const std::string& pipeline, const std::string& path, std::uint64_t bytes,
                   const std::optional<StoredProgress>& stored) {
  const auto record = progress_path(path);
  if (!stored && bytes > 0)
    return fail(ErrorKind::fatal, "file_without_progress",
                path + " has content, but there is no " + record + " that says what it holds",
                "move the file away, or choose another sink.path");
  if (stored && stored->progress && stored->progress->pipeline != pipeline)
    return fail(ErrorKind::fatal, "file_of_other_pipeline",
                path + " belongs to the pipeline " + stored->progress->pipeline, "choose another sink.path");
  if (stored && bytes < stored->file_bytes)
    return fail(ErrorKind::corrupt, "file_shorter_than_progress",
                path + " has " + std::to_string(bytes) + " bytes, but " + std::to_string(stored->file_bytes) +
                    " were written and handed over",
                "put the file back as it was; or, to begin a new file, remove " + record +
                    " too and take the slot over with `outbox-relay progress adopt`");
  return {};
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_all(int fd, std::string_view bytes, std::uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error(errno, "write to", path));
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace relay::connectors::file
