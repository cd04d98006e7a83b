#include "relay/policy/key_bytes.h"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace relay::policy {

KeyBytes::KeyBytes(std::size_t size) : bytes_(new unsigned char[size]()), size_(size) {
  ::mlock(bytes_.get(), size_);  // where it is forbidden (RLIMIT_MEMLOCK), swap must be encrypted or off
}

KeyBytes::KeyBytes(std::span<const unsigned char> bytes) : KeyBytes(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), bytes_.get());
}

KeyBytes::KeyBytes(KeyBytes&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

KeyBytes& KeyBytes::operator=(KeyBytes&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

KeyBytes::~KeyBytes() { wipe(); }

// Not munlock: it is for whole pages, on which other keys may be.
void KeyBytes::wipe() noexcept {
  if (bytes_) OPENSSL_cleanse(bytes_.get(), size_);
}

void wipe(void* bytes, std::size_t size) noexcept { OPENSSL_cleanse(bytes, size); }

void forbid_core_dumps() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace relay::policy
