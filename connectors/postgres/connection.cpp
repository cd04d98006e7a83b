#include "connectors/postgres/connection.h"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "connectors/postgres/password.h"

namespace relay::connectors::postgres {
namespace {

// A database that vanished is noticed in about half a minute and looked for again; a relay that vanished must not hold
// the slot. The server gets no tcp_user_timeout: that also counts while the relay is alive but does not read, during
// the initial read or while the sink is slow.
constexpr const char* kClientKeepalives[][2] = {
    {"keepalives", "1"},       {"keepalives_idle", "10"},     {"keepalives_interval", "5"},
    {"keepalives_count", "4"}, {"tcp_user_timeout", "30000"},
};
constexpr const char* kServerKeepalives =
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4";

using Settings = std::map<std::string, std::string>;

// nullopt: not a URL or conninfo string. libpq's own message is not shown: it quotes the text, password included.
std::optional<Settings> parse_url(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(url.c_str(), &message),
                                                                               PQconninfoFree);
  if (message) PQfreemem(message);
  if (!options) return std::nullopt;
  Settings settings;
  for (const auto* o = options.get(); o->keyword; ++o)
    if (o->val) settings[o->keyword] = o->val;
  // A password that is not percent-encoded ends up in what names the server, and so in messages: '@' leaves its end in
  // the host, '/' and '?' its beginning in the port.
  const auto host = settings.find("host");
  const auto port = settings.find("port");
  if (host != settings.end() && host->second.find('@', 1) != std::string::npos) return std::nullopt;  // @name: abstract
  if (port != settings.end() && port->second.find_first_not_of("0123456789,") != std::string::npos) return std::nullopt;
  return settings;
}

// A value inside `options`, where a space or backslash needs a backslash.
std::string option_value(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void add_replication_settings(Settings& settings) {
  settings["replication"] = "database";
  auto& options = settings["options"];
  if (!options.empty()) options += ' ';
  options += kServerKeepalives;
  for (const auto& [name, value] : text_form_settings()) options += " -c " + name + '=' + option_value(value);
}

std::string quoted(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + '\'';
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& text_form_settings() {
  static const std::vector<std::pair<std::string, std::string>> settings{
      {"bytea_output", "hex"},     {"datestyle", "ISO"}, {"intervalstyle", "postgres"},
      {"extra_float_digits", "1"}, {"timezone", "UTC"},
      {"search_path", "pg_catalog"},  // names of type regclass then have their schema
  };
  return settings;
}

Secret ConnectionParameters::conninfo() const {
  std::string text;
  for (std::size_t i = 0; i < keywords.size(); ++i) text += (i ? " " : "") + keywords[i] + '=' + quoted(values[i]);
  return Secret(std::move(text));
}

Result<ConnectionParameters> connection_parameters(const ConnectionConfig& config, ConnectionUse use) {
  auto settings = parse_url(config.url.reveal());
  if (!settings)
    return fail(ErrorKind::fatal, "database_url_invalid", "reading database.url: it is no libpq connection URL",
                "write it as postgresql://user@host:5432/dbname?sslmode=verify-full, with special characters "
                "percent-encoded");
  RELAY_ASSIGN(const auto password, read_password(config));
  if (password) (*settings)["password"] = password->reveal();
  for (const auto& [keyword, value] : kClientKeepalives) settings->emplace(keyword, value);
  settings->emplace("application_name", config.application_name);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(config.connect_timeout).count();
  settings->emplace("connect_timeout", std::to_string(std::max<std::int64_t>(2, seconds)));
  (*settings)["client_encoding"] = "UTF8";
  // Of several hosts the primary is meant, whichever it is at the moment.
  if (const auto host = settings->find("host"); host != settings->end() && host->second.find(',') != std::string::npos)
    settings->emplace("target_session_attrs", "read-write");
  if (use == ConnectionUse::replication) add_replication_settings(*settings);
  ConnectionParameters parameters;
  for (auto& [keyword, value] : *settings) {
    parameters.keywords.push_back(keyword);
    parameters.values.push_back(std::move(value));
  }
  return parameters;
}

std::string describe_target(const ConnectionConfig& config) {
  auto settings = parse_url(config.url.reveal());
  if (!settings) return "(database.url is no URL)";
  const auto& s = *settings;
  const auto value = [&](const char* key) {
    const auto found = s.find(key);
    return found == s.end() ? std::string() : found->second;
  };
  auto hosts = split(value("host").empty() ? value("hostaddr") : value("host"));
  const auto ports = split(value("port"));
  std::string out;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& port = ports[std::min(i, ports.size() - 1)];
    out += (i ? "," : "") + (hosts[i].empty() ? std::string("localhost") : hosts[i]) + ':' +
           (port.empty() ? "5432" : port);
  }
  const auto dbname = value("dbname").empty() ? value("user") : value("dbname");
  return dbname.empty() ? out : out + '/' + dbname;
}

}  // namespace relay::connectors::postgres
