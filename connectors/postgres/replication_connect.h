// Opening a walsender connection without blocking on the network for longer than configured.
#pragma once

#include "connectors/postgres/connection.h"
#include "connectors/postgres/libpq_handles.h"

namespace relay::connectors::postgres {

// Ready for replication commands, in non-blocking mode. The hosts of the URL in turn, each for config.connect_timeout.
Result<PqConnection> connect_for_replication(const ConnectionConfig& config, bool had_success);

}  // namespace relay::connectors::postgres
