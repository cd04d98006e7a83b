// One event of a logical message -> one event of the batch. Pure.
#pragma once

#include <string>

#include "connectors/postgres/message_events.h"
#include "connectors/postgres/outbox_mapping.h"

namespace relay::connectors::postgres {

// `prefix` is what the event names as its source; it outlives the pipeline. An event without an id gets its place as its
// id, "commit LSN-change LSN-ordinal", which is the same at every attempt. What can be no event is appended with
// Disposition::reject, and its bytes as payload.
void append_message_event(const MessageEvent& from, const RowPlace& place, const std::string& prefix,
                          bool null_payload_is_tombstone, Batch& batch);

}  // namespace relay::connectors::postgres
