#include "relay/migrate/journal.h"

#include <algorithm>
#include <thread>

#include "relay/migrate/sql_text.h"
#include "sql/embedded.h"

namespace relay::migrate {
namespace {

constexpr Millis kBetweenTries{500};
// "relay" as a number, and that migrations are meant.
const std::string kLock = "491328895, 1";

bool yes(const std::vector<Row>& rows) { return !rows.empty() && rows.front()[0] == "t"; }

// Tries `work` until it succeeds, fails for another reason than `code`, or patience has run out.
template <typename Work>
Result<void> patiently(std::string_view code, Millis patience, Clock& clock, Work work) {
  for (const auto deadline = clock.now() + patience;;) {
    auto done = work();
    if (done || done.error().code != code || clock.now() + kBetweenTries > deadline) return done;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<void> lock(Database& database, Millis patience, Clock& clock) {
  return patiently("migration_running", patience, clock, [&]() -> Result<void> {
    RELAY_ASSIGN(const auto rows, database.query("SELECT pg_catalog.pg_try_advisory_lock(" + kLock + ")", {},
                                                 "take the lock of migrations"));
    if (yes(rows)) return {};
    return fail(ErrorKind::busy, "migration_running",
                "changing the schema of " + database.target() + ": another process is doing that",
                "wait until it is done, then run this again");
  });
}

// What is noted, and the functions of the schema, are executed: a schema or table of somebody who has not our rights
// anyway is refused, as the files of sql/ do.
Result<bool> has_journal(Database& database) {
  RELAY_ASSIGN(const auto rows, database.query(R"(
SELECT pg_catalog.to_regclass('outbox_relay.migration') IS NOT NULL,
  (SELECT pg_catalog.min(r.rolname) FROM pg_catalog.pg_roles r
     JOIN pg_catalog.pg_namespace n ON n.nspname = 'outbox_relay'
     LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'migration'
   WHERE r.oid IN (n.nspowner, c.relowner) AND NOT pg_catalog.pg_has_role(r.oid, current_user, 'USAGE')
     AND (NOT pg_catalog.pg_has_role(r.oid, 'USAGE')
          OR EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE s.rolname = current_user AND s.rolsuper))))",
                                               {}, "look for the table outbox_relay.migration"));
  if (rows.empty() || rows.front().size() < 2 || !rows.front()[1]) return yes(rows);
  return fail(ErrorKind::fatal, "schema_foreign",
              "using the schema outbox_relay: it, or its table migration, belongs to " + *rows.front()[1] +
                  ", who could make it run anything with the rights of the role that migrates",
              "run this as that role; or, when you know what is in the schema, ALTER SCHEMA outbox_relay OWNER TO ...; "
              "ALTER TABLE outbox_relay.migration OWNER TO ...;");
}

// The migration's statements and its note as one transaction.
std::string noted(const std::string& statements, const std::string& note) {
  return "BEGIN;\n" + without_transaction(statements) + "\n" + note + ";\nCOMMIT;\n";
}

std::string note_of(const Migration& m) {
  return "INSERT INTO outbox_relay.migration (name, up, down, loses, there) VALUES (" + sql_literal(m.name) + ", " +
         sql_literal(m.up) + ", " + sql_literal(m.down) + ", " + sql_literal(m.loses) + ", " + sql_literal(m.there) +
         ") ON CONFLICT (name) DO UPDATE SET up = excluded.up, down = excluded.down, loses = excluded.loses, "
         "there = excluded.there, applied_at = pg_catalog.now(), applied_by = current_user";
}

}  // namespace

Result<std::vector<Applied>> applied(Database& database) {
  RELAY_ASSIGN(const bool exists, has_journal(database));
  std::vector<Applied> out;
  if (!exists) return out;
  RELAY_ASSIGN(
      const auto rows,
      database.query(
          "SELECT name, pg_catalog.date_trunc('second', applied_at AT TIME ZONE 'UTC')::text || 'Z', up, down, loses, there "
          "FROM outbox_relay.migration ORDER BY number",
          {}, "read outbox_relay.migration"));
  for (const auto& r : rows)
    out.push_back({r[0].value_or(""), r[1].value_or(""), r[2].value_or(""), r[3].value_or(""), r[4].value_or(""),
                   r[5].value_or("")});
  return out;
}

Result<std::vector<std::string>> gone(Database& database, const std::vector<Applied>& noted) {
  std::vector<std::string> out;
  for (const auto& a : noted) {
    if (a.there.empty()) continue;
    RELAY_ASSIGN(const auto rows, database.query("SELECT " + a.there, {}, "look for what the migration " + a.name + " made"));
    if (!yes(rows)) out.push_back(a.name);
  }
  return out;
}

Result<void> apply(Database& database, const std::vector<Migration>& migrations, Millis patience, Clock& clock,
                   const Tell& tell) {
  RELAY_TRY(lock(database, patience, clock));
  RELAY_ASSIGN(const bool exists, has_journal(database));
  if (!exists)
    RELAY_TRY(database.script(std::string(sql::file("migration_table.sql")), "make the table outbox_relay.migration"));
  RELAY_ASSIGN(const auto done, applied(database));
  RELAY_ASSIGN(const auto lost, gone(database, done));
  for (const auto& m : migrations) {
    const auto before = std::find_if(done.begin(), done.end(), [&](const auto& a) { return a.name == m.name; });
    const bool is_lost = std::find(lost.begin(), lost.end(), m.name) != lost.end();
    if (before != done.end() && before->up == m.up && before->down == m.down && !is_lost) {
      tell("already there  " + m.name);
      continue;
    }
    RELAY_TRY(patiently("lock_unavailable", patience, clock,
                        [&] { return database.script(noted(m.up, note_of(m)), "apply the migration " + m.name); }));
    tell((before == done.end() ? "applied        " : "applied again  ") + m.name);
  }
  return {};
}

Result<void> take_back(Database& database, const std::string& through, Millis patience, Clock& clock,
                       const Tell& tell) {
  RELAY_TRY(lock(database, patience, clock));
  RELAY_ASSIGN(auto done, applied(database));
  while (!done.empty()) {
    const auto last = std::move(done.back());
    done.pop_back();
    const auto note = "DELETE FROM outbox_relay.migration WHERE name = " + sql_literal(last.name);
    RELAY_TRY(patiently("lock_unavailable", patience, clock, [&] {
      return database.script(noted(last.down, note), "take back the migration " + last.name);
    }));
    tell("taken back     " + last.name);
    if (last.name == through) break;
  }
  if (done.empty())
    RELAY_TRY(
        database.script(std::string(sql::file("migration_table.down.sql")), "drop the table outbox_relay.migration"));
  return {};
}

}  // namespace relay::migrate
