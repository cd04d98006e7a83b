// Progress in the table outbox_relay.progress of the captured database (sql/store_tables.sql), for sinks that cannot
// keep it themselves.
#pragma once

#include <memory>

#include "connectors/postgres/connection.h"
#include "relay/base/log.h"
#include "relay/pipeline/stores.h"

namespace relay::connectors::postgres {

// Connects at the first call. save() never moves a sequence backwards: kind fenced, code progress_behind_stored, since
// then somebody else delivers for this pipeline.
std::unique_ptr<ProgressStore> make_progress_store(const ConnectionConfig& config, Logger log);

}  // namespace relay::connectors::postgres
