// Dead letters in the table outbox_relay.dead_letter of the captured database (sql/store_tables.sql).
#pragma once

#include <memory>

#include "connectors/postgres/connection.h"
#include "relay/base/log.h"
#include "relay/pipeline/stores.h"

namespace relay::connectors::postgres {

// Connects at the first call. `create_tables`: makes the tables when they are missing (create: [tables]); otherwise
// that is refused with code dead_letter_table_missing. Many events are stored in several statements, each committed by
// itself: parking them again changes nothing, and what is parked counts only below the pipeline's progress.
std::unique_ptr<DeadLetterStore> make_dead_letter_store(const ConnectionConfig& config, Logger log,
                                                        bool create_tables = false);

}  // namespace relay::connectors::postgres
