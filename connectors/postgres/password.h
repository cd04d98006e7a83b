// The password, read at the moment of each connect, so that a rotated one is taken up by itself.
#pragma once

#include <optional>

#include "connectors/postgres/connection.h"

namespace relay::connectors::postgres {

// nullopt: neither a file nor a command is configured; the URL or libpq's own ways (PGPASSFILE) bring it. One trailing
// line break is not part of the password. Waits for a command for ten seconds at most. Kind fatal, code
// password_unreadable; whoever connected before with success makes that transient.
Result<std::optional<Secret>> read_password(const ConnectionConfig& config);

}  // namespace relay::connectors::postgres
