// How the database is reached: one libpq URL, with the password read again at every connect, and the keepalive,
// time-out and application_name settings that every connection of the relay carries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/result.h"
#include "relay/base/secret.h"

namespace relay::connectors::postgres {

struct ConnectionConfig {
  Secret url;                                 // libpq URL or key=value string; may hold a password
  std::string password_file;                  // read at every connect; empty: none
  std::vector<std::string> password_command;  // run at every connect; its standard output is the password
  std::string application_name = "outbox-relay";
  Millis connect_timeout{10'000};
};

enum class ConnectionUse { sql, replication };

// libpq keywords and values, ready for PQconnectStartParams. Fails when the password cannot be had (code
// password_unreadable) or the URL is none (database_url_invalid).
struct ConnectionParameters {
  std::vector<std::string> keywords, values;
  // The same as one conninfo string, quoted, for libpqxx. A secret.
  Secret conninfo() const;
};
Result<ConnectionParameters> connection_parameters(const ConnectionConfig& config, ConnectionUse use);

// The server settings that decide how values look as text. Whoever reads rows sets them all, so that a row looks the
// same in the initial read and in the stream. Connections for replication carry them already.
const std::vector<std::pair<std::string, std::string>>& text_form_settings();

// A connection failure or SQLSTATE as our error. `had_success`: authentication and TLS failures are fatal only before
// the first success; afterwards transient, since passwords rotate. `attempted`: "connect to the database", "create the
// slot s". Never contains the password.
Error classify_connect_failure(std::string_view libpq_message, std::string_view attempted, bool had_success);
Error classify_sqlstate(std::string_view sqlstate, std::string_view server_message, std::string_view attempted);

// "host:port/dbname" for messages and logs.
std::string describe_target(const ConnectionConfig& config);

}  // namespace relay::connectors::postgres
