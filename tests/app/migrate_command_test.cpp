#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "try_command.h"

using namespace relay;
using namespace relay::app;
using namespace relay::app::test;

namespace {

Said migrating(std::vector<std::string> words) {
  words.insert(words.begin(), "migrate");
  return try_command(std::make_shared<World>(), words);
}

// A directory that is gone when the test ends.
class Directory {
 public:
  Directory() : path_(std::filesystem::temp_directory_path() / ("relay_migrate_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path() const { return path_.string(); }
  bool has(const std::string& name) const { return std::filesystem::exists(path_ / name); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("migrate print needs neither configuration nor database") {
  const auto said = migrating({"print"});
  CHECK(said.code == ExitCode::ok);
  CHECK(said.out.find("CREATE TABLE IF NOT EXISTS outbox_relay.outbox (") != std::string::npos);
  CHECK(said.out.find("COMMIT;") != std::string::npos);
}

TEST_CASE("migrate print --down prints the way back, newest first") {
  const auto said = migrating({"print", "--down", "--with", "store,outbox"});
  const auto outbox = said.out.find("DROP TABLE IF EXISTS outbox_relay.outbox");
  const auto store = said.out.find("DROP TABLE IF EXISTS outbox_relay.progress");
  REQUIRE(outbox != std::string::npos);
  REQUIRE(store != std::string::npos);
  CHECK(outbox < store);
}

TEST_CASE("migrate print puts the names and options of captured tables into the SQL") {
  const auto said = migrating({"print", "--into", "messages", "--capture", "app.\"It's\" {\"insert\": \"made\"}"});
  CHECK(said.out.find("SELECT outbox_relay.capture('app.\"It''s\"', '{\"insert\":\"made\",\"into\":\"messages\"}');") !=
        std::string::npos);
  CHECK(said.out.find("CREATE TABLE IF NOT EXISTS outbox_relay.outbox ") == std::string::npos);
}

TEST_CASE("migrate print --out writes the tool's files, and nothing over others") {
  const Directory directory;
  const std::vector<std::string> words{"print", "--for", "flyway", "--first", "7", "--out", directory.path()};
  CHECK(migrating(words).code == ExitCode::ok);
  CHECK(directory.has("V8__outbox_relay_outbox.sql"));
  CHECK(migrating(words).code == ExitCode::ok);
  std::ofstream(directory.path() + "/V8__outbox_relay_outbox.sql") << "-- another";
  const auto said = migrating(words);
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("migration_not_written"));
}

TEST_CASE("what migrate does not understand is a usage error that says what it would") {
  CHECK(migrating({"print", "--for", "flywya"}).code == ExitCode::usage);
  CHECK(migrating({"print", "--for", "flywya"}).has("golang-migrate"));
  CHECK(migrating({"print", "--capture", "orders"}).has("write schema.table"));
  CHECK(migrating({"print", "--capture", "orders"}).code == ExitCode::usage);
  CHECK(migrating({"print", "--into", "kafka"}).has("messages"));
  CHECK(migrating({"apply"}).has("no configuration file"));
}

TEST_CASE("a part that does not exist is refused before the database is asked") {
  const ConfigFile file(kOrders);
  const auto said = migrating({"apply", "-c", file.path(), "--with", "outbux"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("there is no part outbux"));
}
