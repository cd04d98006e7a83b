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
  for (const std::string_view tool : {"flyway", "liquibase", "dbmate", "django", "rails", "knex"})
    for (const auto& file : layout(tool, two(), 1)) {
      CAPTURE(file.path);
      CHECK_FALSE(has(file.text, "BEGIN;"));
      CHECK_FALSE(has(file.text, "COMMIT;"));
    }
  for (const auto& file : layout("golang-migrate", two(), 1)) CHECK(has(file.text, "BEGIN;\n"));
  for (const auto& file : layout("alembic", two(), 1)) {  // its own transaction would be one for all migrations
    CHECK(has(file.text, "\nBEGIN;\n"));
    CHECK(has(file.text, "autocommit_block()"));
  }
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

TEST_CASE("alembic's revisions fit into its table") {
  const std::string name = "outbox_relay_capture_public_orders";
  const auto files = layout("alembic", {{name, "", "", "", false}}, 1);
  CHECK(files[0].path == name + ".py");
  const auto begin = files[0].text.find("revision = \"") + 12;
  CHECK(files[0].text.find('"', begin) - begin <= 32);
}

TEST_CASE("a later print goes on from what is there, and leaves that out") {
  for (const auto& tool : tools()) {
    if (tool == "liquibase" || tool == "sqitch") continue;  // one list of all
    CAPTURE(tool);
    auto there = layout(tool, two(), 20260101000000);
    auto more = two();
    more.push_back({"outbox_relay_three", "BEGIN;\nSELECT 4;\nCOMMIT;\n", "BEGIN;\nSELECT 5;\nCOMMIT;\n", "", true});
    auto first = more;
    std::swap(first[0], first[2]);  // whatever order they are asked for in
    const auto made = continued_layout(tool, first, 20260202000000, there);
    REQUIRE(made);
    CHECK(made->there == Paths{"outbox_relay_two_b", "outbox_relay_one"});
    for (const auto& file : made->files)
      CHECK((has(file.path, "outbox_relay_three") || file.path.ends_with("__init__.py")));
    there.insert(there.end(), made->files.begin(), made->files.end());
    const auto again = continued_layout(tool, more, 20260303000000, there);
    REQUIRE(again);
    CHECK(again->files.empty());
    more[0].up = "BEGIN;\nSELECT 6;\nCOMMIT;\n";
    const auto other = continued_layout(tool, more, 20260303000000, there);
    const bool one_of_a_name = tool == "django" || tool == "alembic" || tool == "rails";
    CHECK(other.has_value() == !one_of_a_name);
    if (!other) CHECK(other.error().code == "migration_not_written");
  }
}

TEST_CASE("a later migration follows the last one that is there") {
  const Migration three{"outbox_relay_three", "", "", "", true};
  const auto next = [&](std::string_view tool) {
    const auto made = continued_layout(tool, {three}, 1, layout(tool, two(), 1));
    REQUIRE(made);
    return made->files.back();
  };
  CHECK(next("django").path == "outbox_relay_migrations/migrations/0003_outbox_relay_three.py");
  CHECK(has(next("django").text, "[(\"outbox_relay_migrations\", \"0002_outbox_relay_two_b\")]"));
  CHECK(has(next("alembic").text, "down_revision = \"outbox_relay_two_b\"\nbranch_labels = None"));
  CHECK(next("psql").path == "0003_outbox_relay_three.down.sql");
}

TEST_CASE("dbmate gets both directions in one file") {
  const auto file = text("dbmate", "20260101000001_outbox_relay_two_b.sql");
  CHECK(file == "-- migrate:up\n-- two\nSELECT 2;\n\n-- migrate:down\n-- back\nSELECT 3;\n");
}
