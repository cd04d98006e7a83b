// Notices that files changed: certificates and passwords that are renewed while the relay runs. Times and sizes are
// compared first, contents only when those differ, since some tools touch files without changing them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/base/clock.h"

namespace relay::connectors::kafka {

class FileWatch {
 public:
  static constexpr Millis kInterval{5'000};

  // Notes the files as they are now.
  FileWatch(std::vector<std::string> paths, SteadyTime now);

  // True once after a content changed; looks at most every kInterval. A file that cannot be read at the moment counts as
  // unchanged: it is being replaced.
  bool changed(SteadyTime now);

 private:
  struct Seen {
    std::string path;
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0, inode = 0;
    std::size_t content_hash = 0;
  };
  static bool look(Seen& file);

  std::vector<Seen> files_;
  SteadyTime next_look_;
};

}  // namespace relay::connectors::kafka
