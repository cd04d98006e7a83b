#include "relay/base/arena.h"

#include <algorithm>

namespace relay {

char* Arena::allocate_slow(std::size_t bytes) {
  // A fresh block is aligned for any type, so alignment needs no thought here.
  while (current_ + 1 < blocks_.size()) {
    ++current_;
    if (bytes <= blocks_[current_].size) {
      used_ = bytes;
      return blocks_[current_].bytes.get();
    }
  }
  const auto size = std::max(bytes, kBlockBytes);
  blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
  current_ = blocks_.size() - 1;
  used_ = bytes;
  return blocks_[current_].bytes.get();
}

void Arena::reset(std::size_t keep_bytes) {
  std::erase_if(blocks_, [](const Block& b) { return b.size > kBlockBytes; });
  blocks_.resize(std::min(blocks_.size(), keep_bytes / kBlockBytes));
  current_ = 0;
  used_ = 0;
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const auto& b : blocks_) total += b.size;
  return total;
}

}  // namespace relay
