// Memory for what must not be seen: keys, and what is derived from them. Kept from being swapped out where the system
// allows it, wiped when it is given back, and not copyable by accident.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace relay::policy {

class KeyBytes {
 public:
  KeyBytes() = default;
  explicit KeyBytes(std::size_t size);  // zeros
  explicit KeyBytes(std::span<const unsigned char> bytes);
  KeyBytes(KeyBytes&& other) noexcept;
  KeyBytes& operator=(KeyBytes&& other) noexcept;
  ~KeyBytes();

  unsigned char* data() { return bytes_.get(); }
  const unsigned char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  std::span<const unsigned char> view() const { return {bytes_.get(), size_}; }

 private:
  void wipe() noexcept;
  std::unique_ptr<unsigned char[]> bytes_;
  std::size_t size_ = 0;
};

void wipe(void* bytes, std::size_t size) noexcept;

// From the first key on: no core dump of this process, and no debugger of the same user. Never taken back, since memory
// that held a key may hold traces of it.
void forbid_core_dumps() noexcept;

}  // namespace relay::policy
