// The captured database as `outbox-relay migrate` changes it.
#pragma once

#include <memory>

#include "connectors/postgres/connection.h"
#include "relay/migrate/database.h"

namespace relay::connectors::postgres {

Result<std::unique_ptr<migrate::Database>> make_migration_database(const ConnectionConfig& config);

}  // namespace relay::connectors::postgres
