// HMAC-SHA-256 (RFC 2104, FIPS 198-1) and HKDF (RFC 5869) over it, on OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "relay/policy/key_bytes.h"

namespace relay::policy {

// The states after the two halves of the key are computed once; a tag of a short text then costs two rounds of SHA-256
// and no allocation. Immutable, safe from any thread.
class HmacSha256 {
 public:
  static constexpr std::size_t kTagBytes = 32;
  using Tag = std::array<unsigned char, kTagBytes>;

  explicit HmacSha256(std::span<const unsigned char> key);
  Tag tag(std::string_view message) const;

 private:
  KeyBytes states_;  // inner, outer
};

// The key for one purpose: HKDF-SHA-256 without salt, `info` as given. RFC 5869 allows 8,160 bytes at most.
KeyBytes hkdf_sha256(std::span<const unsigned char> key, std::span<const unsigned char> salt, std::string_view info,
                     std::size_t size);

}  // namespace relay::policy
