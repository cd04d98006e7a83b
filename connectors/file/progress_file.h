// What a file sink has handed over, in `<path>.progress`: the pipeline's progress, and how many bytes of the file
// belong to it. The record is replaced as a whole, so that it is always either the old one or the new one:
//
//   {"file_bytes":482,"progress":{...}}\n        the text of relay/pipeline/progress_json.h, or null before the first
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "relay/base/result.h"
#include "relay/model/progress.h"

namespace relay::connectors::file {

struct StoredProgress {
  std::uint64_t file_bytes = 0;
  std::optional<Progress> progress;
};

std::string progress_path(const std::string& path);

// nullopt when there is no record. Takes no lock. Kind corrupt, code progress_unreadable, for foreign content.
Result<std::optional<StoredProgress>> read_progress_file(const std::string& path);

// Durable when it returns. After an error `maybe_stored` says whether the new record may be the one that is found
// later.
Result<void> write_progress_file(const std::string& path, const StoredProgress& stored, bool& maybe_stored);

// Fails when the record and a file of `bytes` bytes cannot belong together and to this pipeline. A longer file is fine:
// what the record does not count is cut off.
Result<void> agree(const std::string& pipeline, const std::string& path, std::uint64_t bytes,
                   const std::optional<StoredProgress>& stored);

std::string directory_of(const std::string& path);

// `bytes` at `offset`, all of them.
Result<void> write_all(int fd, std::string_view bytes, std::uint64_t offset, const std::string& path);

}  // namespace relay::connectors::file
