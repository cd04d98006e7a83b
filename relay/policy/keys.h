// The keys that a policy names, from where it says they are. Reads files and the environment; prints nothing of what it
// reads. Loading the first key switches core dumps off.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "relay/base/result.h"
#include "relay/config/load.h"
#include "relay/policy/key_bytes.h"

namespace relay::policy {

struct KeySpec {
  enum class Encoding : std::uint8_t { base64, hex, raw };
  static constexpr std::size_t kBytesMin = 32;

  std::string id;
  std::string file;         // exactly one of the three is set
  std::string directory;    // of a mounted secret: the file in it has the key's id as its name
  std::string environment;  // name of a variable
  Encoding encoding = Encoding::base64;
};

using Keys = std::map<std::string, KeyBytes, std::less<>>;

// Fails with kind fatal and one of the codes policy_key_missing, policy_key_readable_by_others, policy_key_too_short,
// policy_key_malformed.
Result<Keys> load_keys(const std::vector<KeySpec>& specs, const config::Environment& environment);

}  // namespace relay::policy
