#include "connectors/postgres/connection.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace relay;
using namespace relay::connectors::postgres;

namespace {

ConnectionConfig to(std::string url) {
  ConnectionConfig config;
  config.url = Secret(std::move(url));
  return config;
}

std::string value(const ConnectionParameters& parameters, std::string_view keyword) {
  for (std::size_t i = 0; i < parameters.keywords.size(); ++i)
    if (parameters.keywords[i] == keyword) return parameters.values[i];
  return "(none)";
}

// A file that is gone when the test is.
struct TemporaryFile {
  std::string path = (std::filesystem::temp_directory_path() / ("relay-test-" + std::to_string(::getpid()))).string();
  explicit TemporaryFile(const std::string& content) { std::ofstream(path) << content; }
  ~TemporaryFile() { std::remove(path.c_str()); }
};

}  // namespace

TEST_CASE("every connection carries keepalives, a time-out and its name, unless the URL says otherwise") {
  const auto p =
      connection_parameters(to("postgresql://relay:s3cret@db:6432/shop?keepalives_idle=99"), ConnectionUse::sql);
  REQUIRE(p);
  CHECK(value(*p, "host") == "db");
  CHECK(value(*p, "port") == "6432");
  CHECK(value(*p, "dbname") == "shop");
  CHECK(value(*p, "password") == "s3cret");
  CHECK(value(*p, "keepalives") == "1");
  CHECK(value(*p, "keepalives_idle") == "99");
  CHECK(value(*p, "tcp_user_timeout") == "30000");
  CHECK(value(*p, "connect_timeout") == "10");
  CHECK(value(*p, "application_name") == "outbox-relay");
  CHECK(value(*p, "client_encoding") == "UTF8");
  CHECK(value(*p, "replication") == "(none)");
  CHECK(value(*p, "target_session_attrs") == "(none)");
}

TEST_CASE("the walsender's settings are added to the options of the URL") {
  const auto p =
      connection_parameters(to("postgresql://db/shop?options=-c%20work_mem%3D1MB"), ConnectionUse::replication);
  REQUIRE(p);
  CHECK(value(*p, "replication") == "database");
  const auto options = value(*p, "options");
  CHECK(options.starts_with("-c work_mem=1MB "));
  CHECK(options.find("-c bytea_output=hex") != std::string::npos);
  CHECK(options.find("-c timezone=UTC") != std::string::npos);
  CHECK(options.find("-c tcp_keepalives_idle=") != std::string::npos);
  CHECK(options.find("wal_sender_timeout") == std::string::npos);
}

TEST_CASE("of several hosts the one that accepts writes is taken") {
  const auto p = connection_parameters(to("postgresql://a:1,b:2/shop"), ConnectionUse::sql);
  REQUIRE(p);
  CHECK(value(*p, "target_session_attrs") == "read-write");
  CHECK(describe_target(to("postgresql://u:p@a:1,b:2/shop")) == "a:1,b:2/shop");
  CHECK(describe_target(to("host=db user=u password=p")) == "db:5432/u");
}

TEST_CASE("a conninfo string quotes every value") {
  const auto p = connection_parameters(to(R"(host=db password='it''s \\ here')"), ConnectionUse::sql);
  REQUIRE_FALSE(p);  // libpq knows no doubled quotes
  const auto q = connection_parameters(to(R"(host=db password='it\'s \\ here')"), ConnectionUse::sql);
  REQUIRE(q);
  CHECK(value(*q, "password") == R"(it's \ here)");
  CHECK(q->conninfo().reveal().find(R"(password='it\'s \\ here')") != std::string::npos);
}

TEST_CASE("a URL that cannot be read is named without its text") {
  const auto p = connection_parameters(to("postgresql://relay:s3cret@db/shop?nonsense=1"), ConnectionUse::sql);
  REQUIRE_FALSE(p);
  CHECK(p.error().code == "database_url_invalid");
  CHECK(p.error().text().find("s3cret") == std::string::npos);
}

TEST_CASE("a password that is not percent-encoded is not taken for a host or port, and not shown") {
  for (const auto* url : {"postgresql://relay:My@s3cret@db/shop", "postgresql://relay:My/s3cret@db/shop",
                          "postgresql://relay:s3cret/My@db:5432/shop"}) {
    const auto p = connection_parameters(to(url), ConnectionUse::sql);
    REQUIRE_FALSE(p);
    CHECK(p.error().code == "database_url_invalid");
    CHECK(p.error().text().find("s3cret") == std::string::npos);
    CHECK(describe_target(to(url)).find("s3cret") == std::string::npos);
  }
}

TEST_CASE("host and port that the URL leaves out stay out, for PGHOST and service files to fill in") {
  const auto p = connection_parameters(to("postgresql:///shop?service=prod"), ConnectionUse::sql);
  REQUIRE(p);
  CHECK(value(*p, "host") == "(none)");
  CHECK(value(*p, "port") == "(none)");
  CHECK(p->conninfo().reveal().find("host=") == std::string::npos);
  CHECK(connection_parameters(to("postgresql://%40abstract/shop"), ConnectionUse::sql));
}

TEST_CASE("the password is read from its file at every connect") {
  TemporaryFile file("first\n");
  auto config = to("postgresql://relay@db/shop");
  config.password_file = file.path;
  CHECK(value(*connection_parameters(config, ConnectionUse::sql), "password") == "first");
  std::ofstream(file.path) << "second\r\n";
  CHECK(value(*connection_parameters(config, ConnectionUse::sql), "password") == "second");
  std::ofstream(file.path) << "";
  CHECK(connection_parameters(config, ConnectionUse::sql).error().code == "password_unreadable");
  std::remove(file.path.c_str());
  const auto gone = connection_parameters(config, ConnectionUse::sql);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == "password_unreadable");
  CHECK(gone.error().message.find(file.path) != std::string::npos);
}

TEST_CASE("the password may come from a command") {
  auto config = to("postgresql://relay:old@db/shop");
  config.password_command = {"printf", "%s\n", "a b"};
  CHECK(value(*connection_parameters(config, ConnectionUse::sql), "password") == "a b");
  for (const auto& command : {std::vector<std::string>{"false"}, {"true"}, {"no-such-program-anywhere"}}) {
    config.password_command = command;
    const auto failed = connection_parameters(config, ConnectionUse::sql);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == "password_unreadable");
  }
}

TEST_CASE("failures to connect are told apart, in any language when the server's code is there") {
  struct Case {
    const char* message;
    const char* code;
    ErrorKind first, later;
  };
  const auto fatal = ErrorKind::fatal, transient = ErrorKind::transient;
  for (const auto& c : std::initializer_list<Case>{
           {"FATAL:  password authentication failed for user \"relay\"", "auth_failed", fatal, transient},
           {"FATAL:  28P01: Passwort-Authentifizierung fehlgeschlagen\nLOCATION:  auth_failed, auth.c:331\n",
            "auth_failed", fatal, transient},
           {"FATAL:  no pg_hba.conf entry for host \"10.0.0.1\", user \"relay\", SSL off", "auth_failed", fatal,
            transient},
           {"fe_sendauth: no password supplied", "auth_failed", fatal, transient},
           {"FATAL:  role \"relay\" does not exist", "auth_failed", fatal, transient},
           {"FATAL:  database \"shop\" does not exist", "database_unknown", fatal, fatal},
           {"FATAL:  must be superuser or replication role to start walsender", "role_without_replication", fatal,
            fatal},
           {"FATAL:  42501: permission denied to start WAL sender\nDETAIL:  Only roles with the REPLICATION attribute",
            "role_without_replication", fatal, fatal},
           {"SSL error: certificate verify failed", "tls_failed", fatal, transient},
           {"server does not support SSL, but SSL was required", "tls_failed", fatal, transient},
           {"root certificate file \"/x\" does not exist", "tls_failed", fatal, transient},
           {"SSL SYSCALL error: EOF detected", "database_unreachable", transient, transient},
           {"connection refused", "database_unreachable", transient, transient},
           {"timeout expired", "database_unreachable", transient, transient},
           {"FATAL:  the database system is shutting down", "database_shutting_down", transient, transient},
           {"FATAL:  the database system is starting up", "database_starting", transient, transient},
           {"FATAL:  sorry, too many clients already", "too_many_connections", transient, transient},
           {"FATAL:  53300: number of requested standby connections exceeds max_wal_senders (currently 10)",
            "too_many_wal_senders", transient, transient},
           {"ERROR:  unsupported startup parameter: options", "pooler_in_between", fatal, fatal},
       }) {
    CAPTURE(c.message);
    const auto first = classify_connect_failure(c.message, "connect to the database db:5432/shop", false);
    CHECK(first.code == c.code);
    CHECK(first.kind == c.first);
    CHECK(classify_connect_failure(c.message, "connect", true).kind == c.later);
    CHECK(first.message.find("LOCATION") == std::string::npos);
    CHECK(first.message.find("28P01") == std::string::npos);
    CHECK(first.message.find('\n') == std::string::npos);
  }
}

TEST_CASE("what the server refuses is told apart by its code") {
  const auto of = [](const char* state, const char* message) {
    return classify_sqlstate(state, message, "read the slot s");
  };
  CHECK(of("55006", "replication slot \"s\" is active for PID 42").kind == ErrorKind::busy);
  CHECK(of("55006", "replication slot \"s\" is active for PID 42").code == "slot_active");
  CHECK(of("42704", "replication slot \"s\" does not exist").code == "slot_missing");
  CHECK(of("42704", "publication \"p\" does not exist").code == "publication_missing");
  CHECK(of("58P01", "requested WAL segment 000000010000000000000001 has already been removed").code == "slot_lost");
  CHECK(of("55000", "can no longer get changes from replication slot \"s\"; This slot has been invalidated").code ==
        "slot_lost");
  CHECK(of("55000",
           "cannot read from logical replication slot \"s\"; This slot has been invalidated because it exceeded "
           "the maximum reserved size.")
            .kind == ErrorKind::fatal);
  CHECK(of("55000", "logical decoding requires wal_level >= logical").code == "wal_level_not_logical");
  CHECK(of("53400", "all replication slots are in use").code == "too_many_slots");
  CHECK(of("57P01", "terminating connection due to administrator command").code == "database_shutting_down");
  CHECK(of("42501", "permission denied for table outbox").code == "permission_denied");
  CHECK(of("55P03", "canceling statement due to lock timeout").kind == ErrorKind::transient);
  CHECK(of("40001", "could not serialize access").kind == ErrorKind::transient);
  CHECK(of("42601", "syntax error").kind == ErrorKind::fatal);
  CHECK(of("XX000", "something unforeseen").kind == ErrorKind::transient);
}
