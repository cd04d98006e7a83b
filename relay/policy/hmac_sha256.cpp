// SHA-256's plain functions are deprecated in OpenSSL 3, but only they have a state that can be copied: its newer
// interface allocates two objects for each copy, which costs more than the hash itself.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "relay/policy/hmac_sha256.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "relay/base/assert.h"

namespace relay::policy {
namespace {

constexpr std::size_t kBlock = SHA256_CBLOCK;
static_assert(HmacSha256::kTagBytes == SHA256_DIGEST_LENGTH);

void start(std::span<const unsigned char> key, unsigned char pad, SHA256_CTX& state) {
  std::array<unsigned char, kBlock> block{};
  if (key.size() > kBlock)
    SHA256(key.data(), key.size(), block.data());
  else
    std::copy(key.begin(), key.end(), block.begin());
  for (auto& byte : block) byte ^= pad;
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  wipe(block.data(), block.size());
}

}  // namespace

HmacSha256::HmacSha256(std::span<const unsigned char> key) : states_(2 * sizeof(SHA256_CTX)) {
  SHA256_CTX state;
  start(key, 0x36, state);
  std::memcpy(states_.data(), &state, sizeof state);
  start(key, 0x5c, state);
  std::memcpy(states_.data() + sizeof state, &state, sizeof state);
  wipe(&state, sizeof state);
}

HmacSha256::Tag HmacSha256::tag(std::string_view message) const {
  Tag tag;
  SHA256_CTX state;
  std::memcpy(&state, states_.data(), sizeof state);
  SHA256_Update(&state, message.data(), message.size());
  SHA256_Final(tag.data(), &state);
  std::memcpy(&state, states_.data() + sizeof state, sizeof state);
  SHA256_Update(&state, tag.data(), tag.size());
  SHA256_Final(tag.data(), &state);  // what is left on the stack is the tag, and nothing of the key
  return tag;
}

KeyBytes hkdf_sha256(std::span<const unsigned char> key, std::span<const unsigned char> salt, std::string_view info,
                     std::size_t size) {
  constexpr std::size_t kTag = HmacSha256::kTagBytes;
  RELAY_ASSERT(size <= 255 * kTag);
  const std::array<unsigned char, kTag> no_salt{};
  const auto text_of = [](const unsigned char* bytes, std::size_t n) {
    return std::string_view(reinterpret_cast<const char*>(bytes), n);
  };
  auto extracted =
      HmacSha256(salt.empty() ? std::span<const unsigned char>(no_salt) : salt).tag(text_of(key.data(), key.size()));
  const HmacSha256 expand(extracted);
  KeyBytes out(size);
  KeyBytes message(kTag + info.size() + 1);
  std::size_t previous = 0;  // bytes of the tag before, in front of the info
  for (std::size_t done = 0, round = 1; done < size; ++round) {
    std::copy(info.begin(), info.end(), message.data() + previous);
    message.data()[previous + info.size()] = static_cast<unsigned char>(round);
    auto tag = expand.tag(text_of(message.data(), previous + info.size() + 1));
    const auto take = std::min(kTag, size - done);
    std::copy_n(tag.begin(), take, out.data() + done);
    std::copy(tag.begin(), tag.end(), message.data());
    previous = kTag;
    done += take;
    wipe(tag.data(), tag.size());
  }
  wipe(extracted.data(), extracted.size());
  return out;
}

}  // namespace relay::policy
