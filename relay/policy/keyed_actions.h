// Actions with a key. Their results carry the key's id, so that a reader knows which key to ask for after a rotation.
//
//   hash     pii_2026:<43 characters>     HMAC-SHA-256, base64url; cannot be taken back
//   email    pii_2026.<43 characters>@example.com      the same over the whole address, the domain stays
//   encrypt  pii_2026:<base64url>         AES-256-SIV; whoever has the key reads it (`policy decrypt`)
//
// Every field has a key of its own, derived from the named one by HKDF with the field's name as info: equal values in
// different fields give different results, unless the policy joins them under one name. A number counts by its text, so
// 42 and "42" are equal and 42.0 is another. A boolean is a wrong type: two results would tell which is which.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/policy/action.h"
#include "relay/policy/key_bytes.h"

namespace relay::policy {

// `field`: the path in its one spelling, or "join:NAME". What is derived here never changes between versions: what was
// delivered years ago must still be equal.
std::unique_ptr<Action> hash_action(const KeyBytes& key, const std::string& key_id, std::string_view field);
std::unique_ptr<Action> hashed_email_action(const KeyBytes& key, const std::string& key_id, std::string_view field);
std::unique_ptr<Action> encrypt_action(const KeyBytes& key, const std::string& key_id, std::string_view field);

// "pii_2026" of "pii_2026:..."; nullopt when it is no result of encrypt.
std::optional<std::string_view> key_id_of(std::string_view encrypted);
// What `encrypted` was, as a JSON value ("text" or 42); nullopt with another key or field, or when it was altered.
std::optional<std::string> decrypt(const KeyBytes& key, std::string_view field, std::string_view encrypted);

}  // namespace relay::policy
