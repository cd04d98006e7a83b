#include "connectors/file/doctor.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "connectors/file/io_error.h"
#include "connectors/file/progress_file.h"

namespace relay::connectors::file {
namespace {

Finding red(const std::string& subject, const Error& error, std::string fix) {
  return {Severity::error, error.code, subject, error.message, std::move(fix)};
}

Findings directory_findings(const std::string& path, const std::string& subject) {
  const auto directory = directory_of(path);
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0)
    return {red(subject, io_error(errno, "look at the directory", directory), "mkdir -p '" + directory + "'")};
  if (!S_ISDIR(info.st_mode))
    return {red(subject, io_error(ENOTDIR, "use as a directory", directory), "choose another sink.path")};
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    return {red(subject, io_error(errno, "create files in", directory), "chown \"$(id -un)\" '" + directory + "'")};
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) return {red(subject, io_error(errno, "look at", directory), "")};
  const auto mebibytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize >> 20;
  return {{mebibytes == 0 ? Severity::error : Severity::ok, mebibytes == 0 ? "disk_full" : "file_directory", subject,
           directory + " can be written to and has " + std::to_string(mebibytes) + " MiB left", ""}};
}

// The same questions as FileSink::open() asks, but none of its answers.
Finding file_finding(const std::string& pipeline, const std::string& path, const std::string& subject) {
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  if (!there && errno != ENOENT) return red(subject, io_error(errno, "look at", path), "");
  if (there && S_ISDIR(info.st_mode))
    return red(subject, io_error(EISDIR, "write to", path), "choose another sink.path");
  if (there && ::access(path.c_str(), W_OK) != 0)
    return red(subject, io_error(errno, "write to", path), "chown \"$(id -un)\" '" + path + "'");
  const auto stored = read_progress_file(path);
  if (!stored) return red(subject, stored.error(), "");
  const auto bytes = there ? static_cast<std::uint64_t>(info.st_size) : 0;
  if (const auto agreed = agree(pipeline, path, bytes, *stored); !agreed) return red(subject, agreed.error(), "");
  return {Severity::ok, "file_ready", subject,
          *stored ? path + " agrees with its progress record" : path + " will be created", ""};
}

}  // namespace

Findings file_findings(const std::string& pipeline, const std::string& path) {
  const auto subject = "file " + path;
  auto findings = directory_findings(path, subject);
  if (findings.back().severity != Severity::error) findings.push_back(file_finding(pipeline, path, subject));
  return findings;
}

Findings stdout_findings() {
  return {{Severity::note, "at_least_once", "standard output",
           "events come at least once: after a crash the last unacknowledged batch is printed again, with the same ids "
           "and sequences",
           ""}};
}

}  // namespace relay::connectors::file
