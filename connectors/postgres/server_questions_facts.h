// What the catalogs say, as plain values: asked once, judged by server_questions_checks.h, which needs no server.
// The catalogs of PostgreSQL 13 to 18 differ; the differences end in this file's .cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/slot_source_config.h"
#include "connectors/postgres/sql_session.h"

namespace relay::connectors::postgres {

// Who runs the server, as far as its roles tell; decides the exact statement of a hint.
enum class Vendor { plain, amazon_rds, google_cloud_sql, azure };

struct ServerFacts {
  int version = 0;  // 150007
  bool in_recovery = false;
  std::string wal_level, role, database, system_identifier;
  bool superuser = false;
  bool may_replicate = false;  // superuser, REPLICATION, or the vendor's role for it
  bool may_create = false;     // CREATE on the database: publications and schemas
  Vendor vendor = Vendor::plain;
  std::uint32_t timeline = 0;  // 0 in recovery
  Lsn wal_end;                 // flushed; 0 in recovery
};

struct ColumnFacts {
  std::string name, type;   // type as SQL prints it: "timestamp with time zone"
  std::string type_schema;  // of that type; its operators are looked for there
  std::uint32_t type_oid = 0;
  bool not_null = false;
  char generated = 0;  // GENERATED ALWAYS AS (expression): 's' stored, 'v' virtual; not published unless told to
};

struct TableFacts {
  OutboxTable table;
  bool unlogged = false;      // it, or one of its partitions
  bool may_select = false;    // SELECT on the table and USAGE on its schema
  bool row_security = false;  // a policy would hide rows from this role
  bool owned = false;         // the role is, or is in, the owner
  std::vector<ColumnFacts> columns;
  std::vector<std::string> key;  // columns of the primary key, else of the smallest unique not-null index; may be empty
  std::vector<std::string> key_types;
  // Over the table and its partitions: the weakest replica identity decides what of an old row arrives.
  bool identity_full = false;            // FULL, each of them
  bool identity_mixed = false;           // they differ
  std::set<std::string> identity_columns;  // of those that are not FULL
  // 18 on, with generated columns: an identity FULL holds them, and unless they are published as well, the server refuses
  // the application's UPDATE and DELETE.
  bool full_needs_generated = false;

  std::string name() const { return table.schema + '.' + table.name; }
  const ColumnFacts* column(std::string_view name) const;
};

// Relations that a pattern names exactly and that cannot be an outbox.
struct Misfit {
  std::string name;    // "schema.name"
  std::string reason;  // "is a view"
};

struct TablesFacts {
  std::vector<TableFacts> tables;  // by schema, then name
  std::vector<Misfit> misfits;
};

struct PublicationFacts {
  bool all_tables = false, via_root = false;
  bool generated_columns = false;  // stored ones are published (18 and later)
  bool inserts = false, updates = false, deletes = false, truncates = false;
  std::set<std::uint32_t> tables;    // named in it, roots and partitions
  std::set<std::string> schemas;     // FOR TABLES IN SCHEMA
  std::set<std::uint32_t> filtered;  // with a row filter
  std::map<std::uint32_t, std::set<std::string>> column_lists;
};

struct SlotFacts {
  SlotState state;
  std::string type, plugin, database, wal_status, invalidation;
  bool two_phase = false, temporary = false, failover = false;
  Lsn restart_lsn;
  std::optional<std::int64_t> safe_wal_bytes;  // until it is lost; nullopt: no limit
  std::int64_t retained_bytes = 0;
};

Result<ServerFacts> server_facts(SqlSession& sql);
Result<TablesFacts> table_facts(SqlSession& sql, const SlotSourceConfig& config);
// Of one relation, as TableFacts::key.
Result<std::vector<std::string>> key_of(SqlSession& sql, std::uint32_t relation);
Result<std::optional<PublicationFacts>> publication_facts(SqlSession& sql, const std::string& publication);
Result<std::optional<SlotFacts>> slot_facts(SqlSession& sql, const std::string& slot);

// True when the table has a row that this session may see, or when that cannot be found out in time. One look at the
// table: only for tables whose files are not empty.
Result<bool> has_visible_rows(SqlSession& sql, const TableFacts& table);

// {a,"b c"} for a parameter of type text[] or oid[].
std::string array_literal(const std::vector<std::string>& items);

}  // namespace relay::connectors::postgres
