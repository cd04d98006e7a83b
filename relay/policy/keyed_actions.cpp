#include "relay/policy/keyed_actions.h"

#include "relay/base/json_text.h"
#include "relay/policy/aes_siv.h"
#include "relay/policy/byte_text.h"
#include "relay/policy/hmac_sha256.h"
#include "relay/policy/text_actions.h"

namespace relay::policy {
namespace {

constexpr std::size_t kSivKeyBytes = 64;
// In front of what is encrypted, so that a number comes back as one.
constexpr char kText = 's', kNumber = 'n';

KeyBytes derive(const KeyBytes& key, std::string_view purpose, std::string_view field, std::size_t size) {
  return hkdf_sha256(key.view(), {}, "outbox-relay policy 1 " + std::string(purpose) + " " + std::string(field), size);
}

std::string_view as_text(const HmacSha256::Tag& tag) { return {reinterpret_cast<const char*>(tag.data()), tag.size()}; }

class Hash final : public Action {
 public:
  Hash(const KeyBytes& key, const std::string& key_id, std::string_view field)
      : prefix_(key_id + ":"), hmac_(derive(key, "hash", field, HmacSha256::kTagBytes).view()) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    out += prefix_;
    append_base64url(as_text(hmac_.tag(value.text)), out);
    return Changed::to_text;
  }

 private:
  std::string prefix_;
  HmacSha256 hmac_;
};

class HashedEmail final : public Action {
 public:
  HashedEmail(const KeyBytes& key, const std::string& key_id, std::string_view field)
      : prefix_(key_id + "."), hmac_(derive(key, "email", field, HmacSha256::kTagBytes).view()) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    out += prefix_;
    append_base64url(as_text(hmac_.tag(value.text)), out);
    out += kept_domain(value.text);
    return Changed::to_text;
  }

 private:
  std::string prefix_;
  HmacSha256 hmac_;
};

class Encrypt final : public Action {
 public:
  Encrypt(const KeyBytes& key, const std::string& key_id, std::string_view field)
      : prefix_(key_id + ":"), siv_(derive(key, "encrypt", field, kSivKeyBytes).view()) {}

  Changed apply(const Scalar& value, std::string& out) override {
    if (value.type == Scalar::Type::boolean) return Changed::wrong_type;
    plain_.assign(1, value.type == Scalar::Type::number ? kNumber : kText);
    plain_ += value.text;
    sealed_.clear();
    const bool sealed = siv_.seal({}, plain_, sealed_);
    wipe(plain_.data(), plain_.size());
    if (!sealed) return Changed::wrong_type;
    out += prefix_;
    append_base64url(sealed_, out);
    return Changed::to_text;
  }

 private:
  std::string prefix_;
  AesSiv siv_;
  std::string plain_, sealed_;
};

}  // namespace

std::unique_ptr<Action> hash_action(const KeyBytes& key, const std::string& key_id, std::string_view field) {
  return std::make_unique<Hash>(key, key_id, field);
}

std::unique_ptr<Action> hashed_email_action(const KeyBytes& key, const std::string& key_id, std::string_view field) {
  return std::make_unique<HashedEmail>(key, key_id, field);
}

std::unique_ptr<Action> encrypt_action(const KeyBytes& key, const std::string& key_id, std::string_view field) {
  return std::make_unique<Encrypt>(key, key_id, field);
}

std::optional<std::string_view> key_id_of(std::string_view encrypted) {
  const auto colon = encrypted.find(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  return encrypted.substr(0, colon);
}

std::optional<std::string> decrypt(const KeyBytes& key, std::string_view field, std::string_view encrypted) {
  const auto id = key_id_of(encrypted);
  if (!id) return std::nullopt;
  const auto sealed = from_base64(encrypted.substr(id->size() + 1));
  if (!sealed) return std::nullopt;
  auto plain = AesSiv(derive(key, "encrypt", field, kSivKeyBytes).view()).open({}, *sealed);
  if (!plain || plain->empty()) return std::nullopt;
  const char type = plain->front();
  plain->erase(0, 1);
  if (type == kNumber) return plain;
  std::string out;
  append_quoted(*plain, out);
  return out;
}

}  // namespace relay::policy
