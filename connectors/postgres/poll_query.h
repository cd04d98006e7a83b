// The statements of a source that polls. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/poll_facts.h"

namespace relay::connectors::postgres {

// The table as it is read.
struct PollTable {
  std::string schema, name;
  std::string id_column, xid_column;
  std::vector<ColumnInfo> columns;         // of the event; selected first, in this order
  std::vector<std::string> order;          // of the rows without an id: order_by, then the key
  std::vector<std::string> order_types;    // of `order`, as SQL
  std::vector<std::string> order_schemas;  // where these types, and so their operators, are

  std::string full_name() const { return schema + '.' + name; }
  bool operator==(const PollTable&) const = default;
};

// REQUIRES: the columns of `facts` passed the checks. `*` in header_columns does not mean the relay's own two.
PollTable poll_table(const PollSourceConfig& config, const TableFacts& facts);

// The newest id that the sequence has given out, 0 when none; and its CACHE, which somebody may raise at any time.
std::string last_id_query(std::string_view schema, std::string_view sequence);
// A transaction id of its own and, from the same statement's snapshot, the oldest one that runs. Its commit reaches the
// disk with everything that was committed before.
std::string barrier_query();
std::string oldest_running_query();
std::string wal_ends_query();  // inserted, flushed

// Rows: the event's columns, id, transaction id. $1 < id <= $2, at most $3, in the order of ids.
std::string page_query(const PollTable& table);
// Rows without an id: the event's columns, then the order's. With `after_key`: $1.. the last key's columns.
std::string initial_rows_query(const PollTable& table, bool after_key);
std::string initial_search_path(const PollTable& table);

std::string add_relay_columns_sql(const PollSourceConfig& config, const TableFacts& table);

// Stable text of everything in the configuration that shapes the events.
std::string poll_fingerprint(const PollSourceConfig& config);
// "public.outbox.relay_id, sequence 16391": the numbers of a position mean nothing beside another one.
std::string id_source_name(const PollSourceConfig& config, const TableFacts& table, const IdSequenceFacts& sequence);

}  // namespace relay::connectors::postgres
