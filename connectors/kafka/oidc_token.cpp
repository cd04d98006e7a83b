#include "connectors/kafka/oidc_token.h"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "connectors/kafka/oidc_base64.h"

namespace relay::connectors::kafka {
namespace {

constexpr long kTimeoutMs = 10'000;
constexpr std::size_t kAnswerBytesMax = 256 * 1024;

struct CurlCleanup {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct CurlFree {
  void operator()(char* text) const { curl_free(text); }
};

size_t take_answer(char* data, size_t size, size_t count, void* to) {
  auto& answer = *static_cast<std::string*>(to);
  if (answer.size() + size * count > kAnswerBytesMax) return 0;
  answer.append(data, size * count);
  return size * count;
}

std::string find(const std::vector<std::pair<std::string, Secret>>& options, std::string_view name) {
  for (const auto& [key, value] : options)
    if (key == name) return value.reveal();
  return {};
}

std::vector<std::string> split_extensions(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto item = text.substr(0, comma);
    if (const auto equals = item.find('='); equals != std::string_view::npos) {
      parts.emplace_back(item.substr(0, equals));
      parts.emplace_back(item.substr(equals + 1));
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

tl::unexpected<Error> refused(std::string why) {
  return fail(ErrorKind::transient, "oidc_token_failed", "fetching an access token: " + std::move(why),
              "check sasl.oauthbearer.token.endpoint.url, client id and secret");
}

std::string form_body(CURL* curl, const std::string& scope) {
  std::string body = "grant_type=client_credentials";
  if (scope.empty()) return body;
  const std::unique_ptr<char, CurlFree> escaped(curl_easy_escape(curl, scope.c_str(), static_cast<int>(scope.size())));
  return body + "&scope=" + (escaped ? escaped.get() : "");
}

std::int64_t unix_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::optional<OidcToken> OidcToken::from_options(const std::vector<std::pair<std::string, Secret>>& options) {
  if (find(options, "sasl.oauthbearer.method") != "oidc") return std::nullopt;
  OidcToken t;
  t.endpoint_ = find(options, "sasl.oauthbearer.token.endpoint.url");
  t.scope_ = find(options, "sasl.oauthbearer.scope");
  t.client_id_ = find(options, "sasl.oauthbearer.client.id");
  t.client_secret_ = Secret(find(options, "sasl.oauthbearer.client.secret"));
  t.extensions_ = find(options, "sasl.oauthbearer.extensions");
  t.ca_file_ = find(options, "ssl.ca.location");
  return t;
}

Result<AccessToken> OidcToken::fetch() const {
  const std::unique_ptr<CURL, CurlCleanup> curl(curl_easy_init());
  if (!curl) return refused("libcurl cannot be started");
  std::string answer;
  const auto body = form_body(curl.get(), scope_);
  curl_easy_setopt(curl.get(), CURLOPT_URL, endpoint_.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  curl_easy_setopt(curl.get(), CURLOPT_USERNAME, client_id_.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PASSWORD, client_secret_.reveal().c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take_answer);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  if (!ca_file_.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ca_file_.c_str());
  if (const auto rc = curl_easy_perform(curl.get()); rc != CURLE_OK) return refused(curl_easy_strerror(rc));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return refused("the token endpoint answered with HTTP status " + std::to_string(status));
  RELAY_ASSIGN(auto token, parse_token_answer(answer, unix_millis()));
  if (token.principal.empty()) token.principal = client_id_;
  token.extensions = split_extensions(extensions_);
  return token;
}

Result<AccessToken> parse_token_answer(std::string_view text, std::int64_t now_ms) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return refused("the answer is no JSON object");
  const auto token = json.find("access_token");
  if (token == json.end() || !token->is_string()) return refused("the answer has no access_token");
  AccessToken out;
  out.value = Secret(token->get<std::string>());
  if (const auto life = json.find("expires_in"); life != json.end() && life->is_number())
    out.expires_at_ms = now_ms + static_cast<std::int64_t>(life->get<double>() * 1000);

  // A JSON web token says when it ends and for whom it is; an opaque token does not.
  const auto claims = nlohmann::json::parse(jwt_payload(out.value.reveal()), nullptr, false);
  if (claims.is_object()) {
    if (const auto exp = claims.find("exp"); exp != claims.end() && exp->is_number())
      out.expires_at_ms = static_cast<std::int64_t>(exp->get<double>() * 1000);
    if (const auto sub = claims.find("sub"); sub != claims.end() && sub->is_string()) out.principal = sub->get<std::string>();
  }
  if (out.expires_at_ms <= now_ms) return refused("the token is expired, or nothing says when it expires");
  return out;
}

}  // namespace relay::connectors::kafka
