// Progress in the table outbox_relay.progress of the captured database (sql/store_tables.sql), for sinks that cannot
// keep it themselves.
#pragma once

#include <memory>

#include "connectors/postgres/connection.h"
#include "relay/base/log.h"
#include "relay/pipeline/stores.h"

namespace relay::connectors::postgres {

// Connects at the first call. `create_tables`: makes the tables when they are missing (create: [tables]); otherwise
// that is refused with code progress_table_missing. save() never moves a sequence backwards: kind fenced, code
// progress_behind_stored, since then somebody else delivers for this pipeline.
std::unique_ptr<ProgressStore> make_progress_store(const ConnectionConfig& config, Logger log,
                                                   bool create_tables = false);

}  // namespace relay::connectors::postgres
