// AES-SIV (RFC 5297) on OpenSSL: authenticated, and deterministic, so that equal texts under one key give equal results
// and nothing else is told. Keeps one OpenSSL context; not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace relay::policy {

class AesSiv {
 public:
  static constexpr std::size_t kIvBytes = 16;

  // `key` of 32, 48 or 64 bytes: AES-128, -192 or -256, twice.
  explicit AesSiv(std::span<const unsigned char> key);
  AesSiv(AesSiv&&) noexcept;
  ~AesSiv();

  // Appends the synthetic IV and the ciphertext. False when the library fails; `out` is then as it was.
  bool seal(std::span<const std::string_view> associated, std::string_view text, std::string& out);
  // The text, or nullopt: another key, other associated data, or altered.
  std::optional<std::string> open(std::span<const std::string_view> associated, std::string_view sealed);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace relay::policy
