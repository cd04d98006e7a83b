// Migrations of those who use no migration tool: executed, noted in outbox_relay.migration, taken back, compared.
//
// One process at a time: the session holds an advisory lock. Each migration and its note are one transaction, so that
// whatever dies leaves a migration done and noted, or not begun.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relay/base/clock.h"
#include "relay/migrate/database.h"
#include "relay/migrate/plan.h"

namespace relay::migrate {

struct Applied {
  std::string name, applied_at, up, down, loses, there{};  // as of Migration
};

using Tell = std::function<void(const std::string& line)>;  // progress, a line each

// What is noted and still there is left alone; what is noted and gone is made again. Waits up to `patience` for another process; then kind busy, code migration_running. Waits and tries again, as often,
// when a table of the application is locked for too long.
Result<void> apply(Database& database, const std::vector<Migration>& migrations, Millis patience, Clock& clock,
                   const Tell& tell);

// What is noted, oldest first; empty when there is no such table.
Result<std::vector<Applied>> applied(Database& database);

// Takes back the newest ones, down to and including `through`, which is one of applied().
Result<void> take_back(Database& database, const std::string& through, Millis patience, Clock& clock, const Tell& tell);

// Those noted of which what they made is gone, by their own question.
Result<std::vector<std::string>> gone(Database& database, const std::vector<Applied>& applied);

// How the schema differs from what the migrations of this program make, a sentence each. Makes a copy of the schema and
// rolls it back, which needs CREATE on the database. Only of parts that are there. Captured tables are compared too.
Result<std::vector<std::string>> drift(Database& database, const std::vector<Migration>& every_part);

// The names of the migrations in `migrations` that schema outbox_relay holds, whoever made them.
Result<std::vector<std::string>> present(Database& database);

}  // namespace relay::migrate
