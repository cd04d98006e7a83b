// Bytes as text: base64url without padding (RFC 4648) for what leaves, hexadecimal and base64 for keys that are read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay::policy {

void append_base64url(std::string_view bytes, std::string& out);
// nullopt for what is not exactly such a text. Padding is optional, white space at the end is not looked at.
std::optional<std::string> from_base64(std::string_view text);  // either alphabet
std::optional<std::string> from_hex(std::string_view text);

}  // namespace relay::policy
