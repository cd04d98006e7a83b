// The validated configuration of `source: {type: poll}` as plain values.
#pragma once

#include <optional>
#include <string>

#include "connectors/postgres/slot_source_config.h"

namespace relay::connectors::postgres {

struct PollSourceConfig {
  // What both sources have: connection, pipeline, the table (exactly one, no pattern), its columns and headers,
  // snapshot, create_tables. Slot and publication are not used.
  SlotSourceConfig common;
  std::string id_column = "relay_id";
  std::string xid_column = "relay_xid";
  Millis shortest_interval{5}, longest_interval{1'000};  // between two looks at an idle table
  std::string notify_channel;                            // LISTEN; empty: none
  std::optional<Millis> purge_interval;                  // how often outbox_relay.purge() is called
};

}  // namespace relay::connectors::postgres
