#include "relay/policy/aes_siv.h"

#include <openssl/evp.h>

#include "relay/base/assert.h"
#include "relay/policy/key_bytes.h"

namespace relay::policy {
namespace {

struct Free {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

const char* cipher_name(std::size_t key_bytes) {
  return key_bytes == 32 ? "AES-128-SIV" : key_bytes == 48 ? "AES-192-SIV" : "AES-256-SIV";
}

}  // namespace

struct AesSiv::Context {
  std::unique_ptr<EVP_CIPHER, Free> cipher;
  std::unique_ptr<EVP_CIPHER_CTX, Free> cipher_context;
  KeyBytes key;

  // OpenSSL's SIV takes one message for each time that the key is set.
  bool begin(bool seal, std::span<const std::string_view> associated) {
    auto* const c = cipher_context.get();
    if (EVP_CipherInit_ex2(c, cipher.get(), key.data(), nullptr, seal ? 1 : 0, nullptr) != 1) return false;
    int written = 0;
    for (const auto& data : associated)
      if (EVP_CipherUpdate(c, nullptr, &written, bytes_of(data), static_cast<int>(data.size())) != 1) return false;
    return true;
  }
};

AesSiv::AesSiv(std::span<const unsigned char> key) : context_(std::make_unique<Context>()) {
  RELAY_ASSERT(key.size() == 32 || key.size() == 48 || key.size() == 64);
  context_->cipher.reset(EVP_CIPHER_fetch(nullptr, cipher_name(key.size()), nullptr));
  context_->cipher_context.reset(EVP_CIPHER_CTX_new());
  context_->key = KeyBytes(key);
}

AesSiv::AesSiv(AesSiv&&) noexcept = default;
AesSiv::~AesSiv() = default;

bool AesSiv::seal(std::span<const std::string_view> associated, std::string_view text, std::string& out) {
  if (!context_->cipher || !context_->cipher_context || !context_->begin(true, associated)) return false;
  auto* const c = context_->cipher_context.get();
  const auto before = out.size();
  out.resize(before + kIvBytes + text.size());
  auto* const iv = reinterpret_cast<unsigned char*>(out.data() + before);
  int written = 0;
  const bool done = EVP_CipherUpdate(c, iv + kIvBytes, &written, bytes_of(text), static_cast<int>(text.size())) == 1 &&
                    EVP_CipherFinal_ex(c, iv + kIvBytes + written, &written) == 1 &&
                    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kIvBytes), iv) == 1;
  if (!done) out.resize(before);
  return done;
}

std::optional<std::string> AesSiv::open(std::span<const std::string_view> associated, std::string_view sealed) {
  if (sealed.size() < kIvBytes || !context_->cipher || !context_->cipher_context) return std::nullopt;
  std::string iv(sealed.substr(0, kIvBytes));
  sealed.remove_prefix(kIvBytes);
  auto* const c = context_->cipher_context.get();
  if (!context_->begin(false, {})) return std::nullopt;
  if (EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kIvBytes), iv.data()) != 1) return std::nullopt;
  int written = 0;
  for (const auto& data : associated)
    if (EVP_CipherUpdate(c, nullptr, &written, bytes_of(data), static_cast<int>(data.size())) != 1) return std::nullopt;
  std::string text(sealed.size(), '\0');
  auto* const to = reinterpret_cast<unsigned char*>(text.data());
  if (EVP_CipherUpdate(c, to, &written, bytes_of(sealed), static_cast<int>(sealed.size())) != 1) return std::nullopt;
  if (EVP_CipherFinal_ex(c, to + written, &written) != 1) return std::nullopt;
  return text;
}

}  // namespace relay::policy
