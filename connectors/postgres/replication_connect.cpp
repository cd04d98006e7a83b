#include "connectors/postgres/replication_connect.h"

#include <poll.h>

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

// One set of parameters per host. libpq can walk through a list of hosts itself, but when connecting without blocking
// it has no time-out per host: one that does not answer would keep it from trying the next.
std::vector<ConnectionParameters> one_per_host(const ConnectionParameters& all) {
  const auto list = [&](const char* keyword) {
    const auto at = std::find(all.keywords.begin(), all.keywords.end(), keyword);
    return at == all.keywords.end() ? std::vector<std::string>{}
                                    : split(all.values[static_cast<std::size_t>(at - all.keywords.begin())]);
  };
  const std::size_t hosts = std::max({std::size_t{1}, list("host").size(), list("hostaddr").size()});
  std::vector<ConnectionParameters> out(hosts, all);
  for (const char* keyword : {"host", "hostaddr", "port"}) {
    const auto values = list(keyword);
    for (std::size_t h = 0; h < hosts && !values.empty(); ++h)
      for (std::size_t i = 0; i < all.keywords.size(); ++i)
        if (all.keywords[i] == keyword) out[h].values[i] = values[std::min(h, values.size() - 1)];
  }
  return out;
}

PqConnection begin_connect(const ConnectionParameters& parameters) {
  std::vector<const char*> keywords, values;
  for (const auto& keyword : parameters.keywords) keywords.push_back(keyword.c_str());
  for (const auto& value : parameters.values) values.push_back(value.c_str());
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  PqConnection connection(PQconnectStartParams(keywords.data(), values.data(), 0));
  // Errors of the start-up then carry their SQLSTATE, which no translation of the server's messages changes.
  if (connection) PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  return connection;
}

Error connect_error(const PGconn* connection, const std::string& attempted, bool had_success) {
  const std::string message = connection ? PQerrorMessage(connection) : "out of memory";
  return classify_connect_failure(message, attempted, had_success);
}

Result<PqConnection> connect_one(const ConnectionParameters& parameters, Millis timeout, const std::string& attempted,
                                 bool had_success) {
  auto connection = begin_connect(parameters);
  if (!connection || PQstatus(connection.get()) == CONNECTION_BAD)
    return fail(connect_error(connection.get(), attempted, had_success));
  const auto until = system_clock().now() + timeout;
  auto wanted = PGRES_POLLING_WRITING;
  while (wanted != PGRES_POLLING_OK) {
    if (wanted == PGRES_POLLING_FAILED) return fail(connect_error(connection.get(), attempted, had_success));
    const auto left = std::chrono::ceil<Millis>(until - system_clock().now());
    if (left <= Millis{0}) return fail(classify_connect_failure("timeout expired", attempted, had_success));
    pollfd fd{PQsocket(connection.get()), static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (::poll(&fd, 1, static_cast<int>(left.count())) > 0) wanted = PQconnectPoll(connection.get());
  }
  PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
  PQsetnonblocking(connection.get(), 1);
  return connection;
}

}  // namespace

Result<PqConnection> connect_for_replication(const ConnectionConfig& config, bool had_success) {
  const auto attempted = "connect to the database " + describe_target(config) + " for replication";
  RELAY_ASSIGN(const auto parameters, connection_parameters(config, ConnectionUse::replication));
  Result<PqConnection> last = fail(ErrorKind::fatal, "database_url_invalid", "reading database.url: it names no host");
  for (const auto& one : one_per_host(parameters)) {
    last = connect_one(one, config.connect_timeout, attempted, had_success);
    if (last) break;
  }
  return last;
}

}  // namespace relay::connectors::postgres
