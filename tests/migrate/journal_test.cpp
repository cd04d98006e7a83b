#include "relay/migrate/journal.h"

#include <doctest/doctest.h>

#include <deque>

using namespace relay;
using namespace relay::migrate;

namespace {

// Answers from what it was told, and remembers what it was asked to execute.
class FakeDatabase : public Database {
 public:
  bool journal = false, locked_by_another = false;
  std::vector<Row> noted;  // name, applied_at, up, down, loses, there
  std::deque<Error> failures;
  std::vector<std::string> scripts;

  std::string target() const override { return "db/shop"; }
  Result<std::vector<Row>> query(const std::string& sql, const std::vector<std::optional<std::string>>&,
                                 std::string_view) override {
    if (sql.find("advisory_lock") != std::string::npos) return std::vector<Row>{{locked_by_another ? "f" : "t"}};
    if (sql.find("to_regclass('outbox_relay.migration')") != std::string::npos)
      return std::vector<Row>{{journal ? "t" : "f"}};
    return noted;
  }
  Result<void> script(const std::string& text, std::string_view) override {
    if (!failures.empty()) {
      const auto error = failures.front();
      failures.pop_front();
      return fail(error);
    }
    if (text.find("CREATE TABLE IF NOT EXISTS outbox_relay.migration") != std::string::npos) journal = true;
    scripts.push_back(text);
    return {};
  }
};

Migration migration(const std::string& name) {
  return {"outbox_relay_" + name, "BEGIN;\nUP " + name + ";\nCOMMIT;\n", "BEGIN;\nDOWN " + name + ";\nCOMMIT;\n", "",
          true};
}

Row noted(const Migration& m) { return {m.name, "now", m.up, m.down, m.loses, m.there}; }

struct Told {
  std::vector<std::string> lines;
  Tell tell() {
    return [this](const std::string& line) { lines.push_back(line); };
  }
};

}  // namespace

TEST_CASE("a migration and its note are one transaction") {
  FakeDatabase database;
  database.journal = true;
  Told told;
  REQUIRE(apply(database, {migration("a")}, Millis{0}, system_clock(), told.tell()));
  REQUIRE(database.scripts.size() == 1);
  const auto& text = database.scripts.front();
  CHECK(text.starts_with("BEGIN;\nUP a;\n"));
  CHECK(text.find("INSERT INTO outbox_relay.migration") < text.find("COMMIT;"));
  CHECK(text.ends_with(";\nCOMMIT;\n"));
  CHECK(told.lines == std::vector<std::string>{"applied        outbox_relay_a"});
}

TEST_CASE("what is noted is not executed again, unless its text is another one") {
  FakeDatabase database;
  database.journal = true;
  auto changed = migration("b");
  database.noted = {noted(migration("a")), noted(changed)};
  changed.up += "-- more\n";
  Told told;
  REQUIRE(apply(database, {migration("a"), changed}, Millis{0}, system_clock(), told.tell()));
  CHECK(database.scripts.size() == 1);
  CHECK(told.lines == std::vector<std::string>{"already there  outbox_relay_a", "applied again  outbox_relay_b"});
}

TEST_CASE("the first use makes the table of notes") {
  FakeDatabase database;
  Told told;
  REQUIRE(apply(database, {}, Millis{0}, system_clock(), told.tell()));
  CHECK(database.journal);
}

TEST_CASE("one process at a time: another one that is at it is waited for, then named") {
  FakeDatabase database;
  database.locked_by_another = true;
  const auto done = apply(database, {migration("a")}, Millis{0}, system_clock(), [](const auto&) {});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == "migration_running");
  CHECK(database.scripts.empty());
}

TEST_CASE("a table that is locked for too long is tried again, any other failure ends the run") {
  FakeDatabase database;
  database.journal = true;
  database.failures = {Error{ErrorKind::transient, "lock_unavailable", "", ""}};
  REQUIRE(apply(database, {migration("a")}, Millis{5'000}, system_clock(), [](const auto&) {}));
  CHECK(database.scripts.size() == 1);
  database.failures = {Error{ErrorKind::fatal, "permission_denied", "", ""}};
  CHECK_FALSE(apply(database, {migration("b"), migration("c")}, Millis{5'000}, system_clock(), [](const auto&) {}));
  CHECK(database.scripts.size() == 1);
}

TEST_CASE("taking back goes from the newest down to the one named, with the text that was noted") {
  FakeDatabase database;
  database.journal = true;
  database.noted = {noted(migration("a")), noted(migration("b")), noted(migration("c"))};
  Told told;
  REQUIRE(take_back(database, "outbox_relay_b", Millis{0}, system_clock(), told.tell()));
  REQUIRE(database.scripts.size() == 2);
  CHECK(database.scripts[0].find("DOWN c") != std::string::npos);
  CHECK(database.scripts[1].find("DOWN b") != std::string::npos);
  CHECK(database.scripts[1].find("DELETE FROM outbox_relay.migration WHERE name = 'outbox_relay_b'") !=
        std::string::npos);
}

TEST_CASE("with the last migration the table of notes goes too") {
  FakeDatabase database;
  database.journal = true;
  database.noted = {noted(migration("a"))};
  REQUIRE(take_back(database, "outbox_relay_a", Millis{0}, system_clock(), [](const auto&) {}));
  CHECK(database.scripts.back().find("DROP TABLE IF EXISTS outbox_relay.migration") != std::string::npos);
}
