// Access tokens for SASL/OAUTHBEARER, fetched with the OAuth 2.0 client credentials grant (RFC 6749, 4.4). The relay does
// it itself, because Debian builds librdkafka without its own implementation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/base/result.h"
#include "relay/base/secret.h"

namespace relay::connectors::kafka {

struct AccessToken {
  Secret value;
  std::int64_t expires_at_ms = 0;       // since 1970
  std::string principal;                // the token's subject, for librdkafka's log
  std::vector<std::string> extensions;  // name, value, name, value ...
};

class OidcToken {
 public:
  // Set when the options say sasl.oauthbearer.method=oidc.
  static std::optional<OidcToken> from_options(const std::vector<std::pair<std::string, Secret>>& options);

  // Asks the token endpoint and waits for the answer, 10 s at most. Called by librdkafka's background thread.
  Result<AccessToken> fetch() const;

 private:
  std::string endpoint_, scope_, client_id_;
  Secret client_secret_;
  std::string extensions_;  // "name=value,name=value"
  std::string ca_file_;     // https.ca is librdkafka's newer option; here ssl.ca.location
};

// The endpoint's answer, read: pure. `now_ms` is the wall clock. Never shows the answer in an error.
Result<AccessToken> parse_token_answer(std::string_view json, std::int64_t now_ms);

}  // namespace relay::connectors::kafka
