// Bump allocation for the bytes of one batch. Addresses stay valid until reset(); reset() keeps one block's memory for
// the next batch, so a steady stream allocates nothing. Not thread-safe: owned by whoever owns the batch.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace relay {

class Arena {
 public:
  static constexpr std::size_t kBlockBytes = 256 * 1024;

  char* allocate(std::size_t bytes, std::size_t alignment = 1) {
    auto at = (used_ + alignment - 1) & ~(alignment - 1);
    if (current_ >= blocks_.size() || at + bytes > blocks_[current_].size) return allocate_slow(bytes);
    used_ = at + bytes;
    return blocks_[current_].bytes.get() + at;
  }

  // A copy that lives as long as the batch. A null view (SQL NULL) stays null; an empty one stays non-null.
  std::string_view copy(std::string_view text) {
    if (text.data() == nullptr) return {};
    char* to = allocate(text.empty() ? 1 : text.size());
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  template <typename T>
  std::span<T> array(std::size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* first = reinterpret_cast<T*>(allocate(n * sizeof(T), alignof(T)));
    for (std::size_t i = 0; i < n; ++i) new (first + i) T{};
    return {first, n};
  }

  // Forgets everything. Blocks of ordinary size are kept up to `keep_bytes`; oversized ones are given back.
  void reset(std::size_t keep_bytes);
  std::size_t capacity() const;  // bytes held, for the memory bound's test

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  char* allocate_slow(std::size_t bytes);

  std::vector<Block> blocks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

}  // namespace relay
