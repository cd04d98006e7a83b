// The statements of the initial read. Pure text; executed by snapshot_reader.cpp.
//
// Order and place: rows come in the order of `order_by`, then of a unique key, all columns not null, so that "after the
// last key" is exact. A progress record's last_key is {"schema.table", text of each of these columns}: the table is
// found again by name, since a table that came meanwhile changes every index.
//
// After a restart only rows that the first session's snapshot showed may be read. A row's xmin has 32 bits; it is
// completed to the newest 64-bit transaction id below the reader's own that ends in these bits. That is right for every
// row that is not frozen, since those are less than 2^31 ids old. A frozen row keeps its old xmin in the header, which
// nothing in SQL tells from a new one: one written k times 2^32 ids ago would look new, be taken for one that the
// slot's stream brings, and be lost. So once ids have passed 2^32 the first session looks for such rows
// (ambiguous_rows_query) before it reads; only when there are none is its snapshot's text stored, without which there
// is no taking up again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/server_questions_facts.h"
#include "connectors/postgres/table_capture.h"

namespace relay::connectors::postgres {

// Ids that may be used between the first session and the last resumption, once ids have passed 2^32.
constexpr std::uint64_t kResumeHorizon = std::uint64_t{1} << 28;

struct SnapshotTable {
  const TableCapture* capture = nullptr;  // null: an outbox
  std::uint32_t oid = 0;
  std::string schema, name;
  std::vector<ColumnInfo> columns;         // selected, in this order: of the event, and of `order`
  std::vector<std::size_t> order;          // into columns: order_by, then the key
  std::vector<std::string> order_types;    // of `order`, as SQL
  std::vector<std::string> order_schemas;  // where these types, and so their operators, are
  std::vector<std::string> key;
  std::vector<TypeFacts> types;            // of a business table's columns, those that are not built in

  std::string full_name() const { return schema + '.' + name; }
};

// Kind fatal, codes as in creation_problems, when a table cannot be read in an order.
// `publication` null: there is none.
Result<SnapshotTable> snapshot_table(const SlotSourceConfig& config, const TableFacts& table,
                                     const PublicationFacts* publication);

// The order is the types' own; comparing with the last key must find the same operators, by search_path.
std::string search_path_statement(const std::vector<SnapshotTable>& tables);
std::string lock_statement(const std::vector<SnapshotTable>& tables);

// Rows of one column, "oid:relfilenode": the tables, and their partitions.
std::string storage_query(const std::vector<SnapshotTable>& tables);

// No parameters: all rows of the transaction's snapshot. With `resumed`: $1 the stored snapshot's text, $2 the reader's
// own newest id. With `after_key`: the last key's columns as $1.., or as $3.. with `resumed`.
std::string rows_query(const SnapshotTable& table, bool resumed, bool after_key);

// One row, one column: is there a row that a resumption within the horizon would take for a new one? $1 the snapshot's
// text, $2 the newest id of the horizon.
std::string ambiguous_rows_query(const SnapshotTable& table);

// A slot's snapshot in the text form "xmin:xmax:in progress" that every session can read back; nullopt when it is none.
// A slot may export one with xmin > xmax (after transactions that rolled back): all ids below xmin are decided and
// nothing from xmin on is visible. pg_current_snapshot() prints that, and then the server refuses it as a value.
std::optional<std::string> readable_snapshot(std::string_view snapshot_text);

// The end of the horizon of such a snapshot; nullopt when it is none.
std::optional<std::uint64_t> resume_horizon(std::string_view snapshot_text);
// Up to 2^32 every id is its own 32 bits.
constexpr bool may_be_ambiguous(std::uint64_t newest_id) { return newest_id >= (std::uint64_t{1} << 32); }

}  // namespace relay::connectors::postgres
