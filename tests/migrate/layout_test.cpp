#include "relay/migrate/layout.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace relay;
using namespace relay::migrate;

namespace {

// Two migrations with all that a tool might take for its own: parameters, placeholders, quotes of several languages.
const std::string kHard = "SELECT '100% :name ? ${x} `tick` \"\"\" back\\slash', a ? 'b';\n";

std::vector<Migration> two() {
  return {
      {"outbox_relay_one", "-- one\nBEGIN;\n" + kHard + "COMMIT;\n", "-- back\nBEGIN;\nSELECT 1;\nCOMMIT;\n", "", true},
      {"outbox_relay_two_b", "-- two\nBEGIN;\nSELECT 2;\nCOMMIT;\n", "-- back\nBEGIN;\nSELECT 3;\nCOMMIT;\n", "",
       true}};
}

std::vector<std::string> paths(std::string_view tool) {
  std::vector<std::string> out;
  for (const auto& file : layout(tool, two(), 20260101000000)) out.push_back(file.path);
  return out;
}

std::string text(std::string_view tool, const std::string& path) {
  for (const auto& file : layout(tool, two(), 20260101000000))
    if (file.path == path) return file.text;
  FAIL("no file " << path);
  return {};
}

bool has(const std::string& all, std::string_view part) { return all.find(part) != std::string::npos; }

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("each tool gets the file names that it looks for") {
  CHECK(paths("psql") == Paths{"0001_outbox_relay_one.sql", "0001_outbox_relay_one.down.sql",
                               "0002_outbox_relay_two_b.sql", "0002_outbox_relay_two_b.down.sql"});
  CHECK(paths("flyway") == Paths{"V20260101000000__outbox_relay_one.sql", "V20260101000000__outbox_relay_one.sql.conf",
                                 "U20260101000000__outbox_relay_one.sql", "V20260101000001__outbox_relay_two_b.sql",
                                 "U20260101000001__outbox_relay_two_b.sql"});
  CHECK(paths("golang-migrate") ==
        Paths{"20260101000000_outbox_relay_one.up.sql", "20260101000000_outbox_relay_one.down.sql",
              "20260101000001_outbox_relay_two_b.up.sql", "20260101000001_outbox_relay_two_b.down.sql"});
  CHECK(paths("dbmate") == Paths{"20260101000000_outbox_relay_one.sql", "20260101000001_outbox_relay_two_b.sql"});
  CHECK(paths("sqitch") == Paths{"sqitch.plan", "deploy/outbox_relay_one.sql", "revert/outbox_relay_one.sql",
                                 "deploy/outbox_relay_two_b.sql", "revert/outbox_relay_two_b.sql"});
  CHECK(paths("liquibase") == Paths{"outbox_relay.changelog.xml", "outbox_relay_one.sql", "outbox_relay_one.down.sql",
                                    "outbox_relay_two_b.sql", "outbox_relay_two_b.down.sql"});
  CHECK(paths("django") == Paths{"outbox_relay_migrations/__init__.py",
                                 "outbox_relay_migrations/migrations/__init__.py",
                                 "outbox_relay_migrations/migrations/0001_outbox_relay_one.py",
                                 "outbox_relay_migrations/migrations/0002_outbox_relay_two_b.py"});
  CHECK(paths("alembic") == Paths{"outbox_relay_one.py", "outbox_relay_two_b.py"});
  CHECK(paths("rails") == Paths{"20260101000000_outbox_relay_one.rb", "20260101000001_outbox_relay_two_b.rb"});
  CHECK(paths("knex") == Paths{"20260101000000_outbox_relay_one.js", "20260101000001_outbox_relay_two_b.js"});
}

TEST_CASE("tools that begin a transaction get none in the file, the others keep it") {
  for (const std::string_view tool : {"flyway", "liquibase", "dbmate", "django", "alembic", "rails", "knex"})
    for (const auto& file : layout(tool, two(), 1)) {
      CAPTURE(file.path);
      CHECK_FALSE(has(file.text, "BEGIN;"));
      CHECK_FALSE(has(file.text, "COMMIT;"));
    }
  for (const auto& file : layout("golang-migrate", two(), 1)) CHECK(has(file.text, "BEGIN;\n"));
  CHECK(has(text("sqitch", "deploy/outbox_relay_one.sql"), "BEGIN;\n"));
}

TEST_CASE("the SQL arrives as it is where the file is SQL") {
  for (const auto* tool : {"flyway", "golang-migrate", "liquibase", "dbmate", "sqitch", "psql", "rails"}) {
    const auto files = layout(tool, two(), 1);
    CHECK(std::any_of(files.begin(), files.end(), [](const auto& f) { return has(f.text, kHard); }));
  }
}

TEST_CASE("the SQL is quoted where the file is a program") {
  CHECK(has(text("alembic", "outbox_relay_one.py"), R"('100% :name ? ${x} `tick` \"\"\" back\\slash', a ? 'b';)"));
  CHECK(has(text("django", "outbox_relay_migrations/migrations/0001_outbox_relay_one.py"), R"(\"\"\" back\\slash)"));
  CHECK(has(text("knex", "20260101000000_outbox_relay_one.js"),
            R"('100% :name \\? \${x} \`tick\` """ back\\slash', a \\? 'b';)"));
}

TEST_CASE("a migration that follows another says so") {
  CHECK(has(text("django", "outbox_relay_migrations/migrations/0002_outbox_relay_two_b.py"),
            "dependencies = [(\"outbox_relay_migrations\", \"0001_outbox_relay_one\")]"));
  CHECK(has(text("alembic", "outbox_relay_two_b.py"), "down_revision = \"outbox_relay_one\""));
  CHECK(has(text("sqitch", "sqitch.plan"), "outbox_relay_two_b [outbox_relay_one] "));
  CHECK(has(text("rails", "20260101000001_outbox_relay_two_b.rb"), "class OutboxRelayTwoB < ActiveRecord::Migration"));
}

TEST_CASE("dbmate gets both directions in one file") {
  const auto file = text("dbmate", "20260101000001_outbox_relay_two_b.sql");
  CHECK(file == "-- migrate:up\n-- two\nSELECT 2;\n\n-- migrate:down\n-- back\nSELECT 3;\n");
}
