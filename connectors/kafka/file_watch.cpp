#include "connectors/kafka/file_watch.h"

#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <utility>

namespace relay::connectors::kafka {

FileWatch::FileWatch(std::vector<std::string> paths, SteadyTime now) : next_look_(now + kInterval) {
  for (auto& path : paths) {
    Seen file;
    file.path = std::move(path);
    look(file);
    files_.push_back(std::move(file));
  }
}

// Brings `file` up to date; true when its content is another.
bool FileWatch::look(Seen& file) {
  struct stat info {};
  if (stat(file.path.c_str(), &info) != 0) return false;
  const auto modified = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  if (modified == file.modified_ns && static_cast<std::uint64_t>(info.st_size) == file.size && info.st_ino == file.inode)
    return false;
  std::ifstream in(file.path, std::ios::binary);
  if (!in) return false;
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  const auto hash = std::hash<std::string>{}(content);
  file.modified_ns = modified;
  file.size = static_cast<std::uint64_t>(info.st_size);
  file.inode = info.st_ino;
  return std::exchange(file.content_hash, hash) != hash;
}

bool FileWatch::changed(SteadyTime now) {
  if (files_.empty() || now < next_look_) return false;
  next_look_ = now + kInterval;
  bool any = false;
  for (auto& file : files_) any = look(file) || any;
  return any;
}

}  // namespace relay::connectors::kafka
