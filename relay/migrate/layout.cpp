#include "relay/migrate/layout.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <iterator>

#include "relay/base/assert.h"
#include "relay/migrate/earlier_files.h"
#include "relay/migrate/sql_text.h"

namespace relay::migrate {
namespace {

using Migrations = std::vector<Migration>;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string padded(std::size_t number, std::size_t digits) {
  auto out = std::to_string(number);
  return out.size() < digits ? std::string(digits - out.size(), '0') + out : out;
}

std::string bare_up(const Migration& m) { return without_transaction(m.up); }
std::string bare_down(const Migration& m) { return without_transaction(m.down); }

// "outbox_relay_outbox" -> "OutboxRelayOutbox"
std::string camel_case(std::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c != '_') out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return out;
}

// Where the files of an earlier print end.
struct Start {
  std::uint64_t version = 0;
  std::size_t number = 0;  // of the last file, of tools whose files are counted
  std::string before;      // the migration that the first one follows; empty: none
};

std::vector<File> psql(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  for (const auto& m : migrations) {
    const auto name = padded(start.number + out.size() / 2 + 1, 4) + "_" + m.name;
    out.push_back({name + ".sql", m.up});
    out.push_back({name + ".down.sql", m.down});
  }
  return out;
}

// Undo files (U...) are a paid feature of Flyway; psql runs them as well.
std::vector<File> flyway(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  auto version = start.version;
  for (const auto& m : migrations) {
    const auto name = std::to_string(version++) + "__" + m.name + ".sql";
    out.push_back({"V" + name, bare_up(m)});
    // Where the text has Flyway's own sign: the file of settings that belongs to one script.
    if (m.up.find("${") != std::string::npos) out.push_back({"V" + name + ".conf", "placeholderReplacement=false\n"});
    out.push_back({"U" + name, bare_down(m)});
  }
  return out;
}

// One changelog; each SQL file goes to the server whole.
std::vector<File> liquibase(const Migrations& migrations, const Start&) {
  const std::string attributes =
      " relativeToChangelogFile=\"true\" splitStatements=\"false\" stripComments=\"false\"/>\n";
  std::string changelog = R"(<?xml version="1.0" encoding="UTF-8"?>
<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.liquibase.org/xml/ns/dbchangelog http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd">
)";
  std::vector<File> out(1);
  for (const auto& m : migrations) {
    changelog += "  <changeSet id=\"" + m.name +
                 "\" author=\"outbox-relay\" dbms=\"postgresql\">\n    <sqlFile path=\"" + m.name + ".sql\"" +
                 attributes + "    <rollback>\n      <sqlFile path=\"" + m.name + ".down.sql\"" + attributes +
                 "    </rollback>\n  </changeSet>\n";
    out.push_back({m.name + ".sql", bare_up(m)});
    out.push_back({m.name + ".down.sql", bare_down(m)});
  }
  out.front() = {"outbox_relay.changelog.xml", changelog + "</databaseChangeLog>\n"};
  return out;
}

// Begins no transaction itself, so the files keep theirs.
std::vector<File> golang_migrate(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  auto version = start.version;
  for (const auto& m : migrations) {
    const auto name = std::to_string(version++) + "_" + m.name;
    out.push_back({name + ".up.sql", m.up});
    out.push_back({name + ".down.sql", m.down});
  }
  return out;
}

std::vector<File> dbmate(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  auto version = start.version;
  for (const auto& m : migrations)
    out.push_back({std::to_string(version++) + "_" + m.name + ".sql",
                   "-- migrate:up\n" + bare_up(m) + "\n-- migrate:down\n" + bare_down(m)});
  return out;
}

// Lines for an existing sqitch.plan, and its scripts; a migration depends on the one before it.
std::vector<File> sqitch(const Migrations& migrations, const Start&) {
  std::string lines = "%syntax-version=1.0.0\n%project=outbox_relay\n\n", before;
  std::vector<File> out(1);
  for (const auto& m : migrations) {
    lines += m.name + (before.empty() ? "" : " [" + before + "]") +
             " 2026-01-01T00:00:00Z Outbox Relay <outbox-relay@localhost> # made by outbox-relay migrate print\n";
    before = m.name;
    out.push_back({"deploy/" + m.name + ".sql", m.up});
    out.push_back({"revert/" + m.name + ".sql", m.down});
  }
  out.front() = {"sqitch.plan", lines};
  return out;
}

// A Python string of several lines.
std::string python_string(std::string text) {
  replace_all(text, "\\", "\\\\");
  replace_all(text, "\"\"\"", "\\\"\\\"\\\"");
  if (text.ends_with('"')) text.insert(text.size() - 1, "\\");
  return "\"\"\"\n" + text + "\"\"\"";
}

// An application to name in INSTALLED_APPS.
std::vector<File> django(const Migrations& migrations, const Start& start) {
  std::vector<File> out{{"outbox_relay_migrations/__init__.py", ""},
                        {"outbox_relay_migrations/migrations/__init__.py", ""}};
  auto before = start.before;
  for (const auto& m : migrations) {
    const auto name = padded(start.number + out.size() - 1, 4) + "_" + m.name;
    std::string text = "from django.db import migrations\n\nUP = " + python_string(bare_up(m)) +
                       "\n\nDOWN = " + python_string(bare_down(m)) + "\n\n\nclass Migration(migrations.Migration):\n";
    text +=
        "    dependencies = [" + (before.empty() ? "" : "(\"outbox_relay_migrations\", \"" + before + "\")") + "]\n";
    text += "    operations = [migrations.RunSQL(sql=UP, reverse_sql=DOWN)]\n";
    out.push_back({"outbox_relay_migrations/migrations/" + name + ".py", text});
    before = name;
  }
  return out;
}

// Revisions of a branch of their own, which `alembic upgrade heads` runs beside the application's. Alembic runs all that is
// to be done in one transaction unless told otherwise, and the locks of one migration would be held while the next one
// waits for its own: so these leave that transaction, and begin and end theirs.
std::vector<File> alembic(const Migrations& migrations, const Start& start) {
  constexpr std::size_t kLongestRevision = 32;  // alembic_version.version_num
  std::vector<File> out;
  auto before = start.before;
  for (const auto& m : migrations) {
    // Without parameters the text goes to the server as it is: "%" and ":name" mean nothing to the driver then.
    const std::string run = "    with op.get_context().autocommit_block():\n        op.get_bind().exec_driver_sql(";
    const std::string options = ", execution_options={\"no_parameters\": True})\n";
    const auto revision = short_name(m.name, kLongestRevision);
    std::string text = "from alembic import op\n\nrevision = \"" + revision + "\"\n";
    text += "down_revision = " + (before.empty() ? "None" : "\"" + before + "\"") + "\n";
    text += before.empty() ? "branch_labels = (\"outbox_relay\",)\n" : "branch_labels = None\n";
    text += "depends_on = None\n\nUP = " + python_string(m.up) + "\n\nDOWN = " + python_string(m.down);
    text += "\n\n\ndef upgrade():\n" + run + "UP" + options + "\n\ndef downgrade():\n" + run + "DOWN" + options;
    out.push_back({m.name + ".py", text});
    before = revision;
  }
  return out;
}

std::string ruby_method(std::string_view name, const std::string& sql) {
  return "  def " + std::string(name) + "\n    execute <<'OUTBOX_RELAY_SQL'\n" + sql + "OUTBOX_RELAY_SQL\n  end\n";
}

std::vector<File> rails(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  auto version = start.version;
  for (const auto& m : migrations)
    out.push_back({std::to_string(version++) + "_" + m.name + ".rb",
                   "class " + camel_case(m.name) + " < ActiveRecord::Migration[6.1]\n" + ruby_method("up", bare_up(m)) +
                       "\n" + ruby_method("down", bare_down(m)) + "end\n"});
  return out;
}

// knex takes "?" for a parameter unless there is a backslash before it.
std::string javascript_string(std::string text) {
  replace_all(text, "\\", "\\\\");
  replace_all(text, "`", "\\`");
  replace_all(text, "${", "\\${");
  replace_all(text, "?", "\\\\?");
  return "`\n" + text + "`";
}

std::vector<File> knex(const Migrations& migrations, const Start& start) {
  std::vector<File> out;
  auto version = start.version;
  for (const auto& m : migrations)
    out.push_back({std::to_string(version++) + "_" + m.name + ".js",
                   "exports.up = (knex) => knex.raw(" + javascript_string(bare_up(m)) +
                       ");\n\nexports.down = (knex) => knex.raw(" + javascript_string(bare_down(m)) + ");\n"});
  return out;
}

struct Known {
  std::string_view tool;
  std::vector<File> (*files)(const Migrations&, const Start&);
  bool one_of_a_name = false;  // two files of one migration, of whatever version, stop the tool
  bool one_list = false;       // a file that lists all of them, which is the reader's to merge
};
constexpr Known kKnown[] = {{"psql", psql},
                            {"flyway", flyway},
                            {"liquibase", liquibase, false, true},
                            {"golang-migrate", golang_migrate},
                            {"dbmate", dbmate},
                            {"sqitch", sqitch, false, true},
                            {"django", django, true},
                            {"alembic", alembic, true},
                            {"rails", rails, true},
                            {"knex", knex}};

const Known& known_tool(std::string_view tool) {
  const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& k) { return k.tool == tool; });
  RELAY_ASSERT(known != std::end(kKnown));  // it is one of tools()
  return *known;
}

}  // namespace

const std::vector<std::string>& tools() {
  static const auto names = [] {
    std::vector<std::string> out;
    for (const auto& known : kKnown) out.emplace_back(known.tool);
    return out;
  }();
  return names;
}

std::vector<File> layout(std::string_view tool, const Migrations& migrations, std::uint64_t first) {
  return known_tool(tool).files(migrations, {first, 0, ""});
}

Result<Continued> continued_layout(std::string_view tool, const Migrations& migrations, std::uint64_t first,
                                   const std::vector<File>& there) {
  const auto& known = known_tool(tool);
  Continued out;
  if (known.one_list) {
    out.files = known.files(migrations, {first, 0, ""});
    return out;
  }
  const EarlierFiles earlier(there);
  Migrations missing;
  for (const auto& m : migrations) {
    const auto has = earlier.has(m.name, known.files({m}, {first, 0, ""}));
    if (has == EarlierFiles::Has::other && known.one_of_a_name)
      return fail(ErrorKind::fatal, "migration_not_written",
                  "writing the migration " + m.name + ": it is there already, with another content",
                  "what has run stays as it is: write the change as a migration of your own, for example SELECT "
                  "outbox_relay.capture(...), or choose another --out");
    if (has == EarlierFiles::Has::same)
      out.there.push_back(m.name);
    else
      missing.push_back(m);
  }
  if (missing.empty()) return out;
  const bool chained = tool == "psql" || tool == "django" || tool == "alembic";
  if (chained) {
    out.files =
        known.files(missing, {first, earlier.number(), tool == "alembic" ? earlier.revision() : earlier.last()});
    return out;
  }
  // Each keeps the version that it would have alone with the others, so that with the same --first none gets another's.
  for (auto& file : known.files(migrations, {first, 0, ""}))
    if (std::find(out.there.begin(), out.there.end(), EarlierFiles::migration_of(file.path)) == out.there.end())
      out.files.push_back(std::move(file));
  return out;
}

}  // namespace relay::migrate
