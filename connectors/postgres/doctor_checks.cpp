#include "connectors/postgres/doctor_checks.h"

#include <algorithm>
#include <cstdio>

#include "connectors/postgres/server_questions_checks.h"
#include "connectors/postgres/server_questions_sql.h"

namespace relay::connectors::postgres {

namespace {

constexpr std::int64_t kShortSenderTimeoutMs = 10'000;
constexpr std::int64_t kLongOpenSeconds = 3'600;
constexpr std::int64_t kShortOutageSeconds = 4 * 3'600;

Finding ok(std::string code, std::string subject, std::string message) {
  return {Severity::ok, std::move(code), std::move(subject), std::move(message), {}};
}

// "4 of 10 in use"
std::string used(std::int64_t in_use, std::int64_t most) {
  return std::to_string(in_use) + " of " + std::to_string(most) + " in use";
}

Finding headroom(const ServerFacts& server, const char* setting, std::int64_t in_use, std::int64_t most, bool needs_one) {
  if (!needs_one || in_use < most) return ok(setting, setting, std::string(setting) + ": " + used(in_use, most));
  return {Severity::error, std::string(setting) + "_exhausted", setting,
          std::string(setting) + ": " + used(in_use, most) + "; this pipeline needs one more",
          setting_fix(server, setting, std::to_string(most + 10), true)};
}

std::string type_of(const TableFacts& table, const std::string& column) {
  const auto* c = table.column(column);
  return c ? c->type : "?";
}

}  // namespace

std::string readable_bytes(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string readable_seconds(std::int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

Findings connection_findings(const ServerFacts& server, const ConnectionFacts& c) {
  Findings out;
  const auto major = std::to_string(server.version / 10'000) + "." + std::to_string(server.version % 10'000);
  out.push_back(ok("connected", "database",
                   "connected to PostgreSQL " + major + ", database " + quote_identifier(server.database) + ", as " +
                       quote_identifier(server.role)));
  if (c.pooled)
    out.push_back(
        {Severity::warning, "pooler_in_the_way", "database",
         "the process that answers is not the one that the connection announced: a pooler such as PgBouncer stands "
         "in between; replication, session settings and advisory locks need the server itself",
         "database.url: point it at the server itself" +
             (c.server_address.empty() ? std::string() : ", which calls itself " + c.server_address)});
  if (c.tls)
    out.push_back(ok("tls", "database", "the connection is encrypted (" + c.tls_version + ", " + c.cipher + ")"));
  else if (c.local)
    out.push_back(ok("tls", "database", "the connection is a Unix socket"));
  else
    out.push_back({Severity::note, "tls_not_used", "database",
                   "the connection is not encrypted; rows and, without SCRAM, passwords cross the network in the clear",
                   "database.url: add sslmode=verify-full and sslrootcert=FILE"});
  return out;
}

Findings limit_findings(const SlotSourceConfig& config, const ServerFacts& server, const SettingsFacts& s,
                        bool slot_exists) {
  Findings out;
  out.push_back(headroom(server, "max_replication_slots", s.used_slots, s.max_replication_slots, !slot_exists));
  out.push_back(headroom(server, "max_wal_senders", s.used_wal_senders, s.max_wal_senders, !slot_exists));
  if (s.max_slot_wal_keep_bytes < 0)
    out.push_back(
        {Severity::warning, "max_slot_wal_keep_size_unlimited", "max_slot_wal_keep_size",
         "max_slot_wal_keep_size is -1: the disk is not protected while the relay is stopped or its sink is down, "
         "since the slot " +
             quote_identifier(config.slot) + " keeps WAL without limit",
         setting_fix(server, "max_slot_wal_keep_size", "20480", false)});
  else
    out.push_back(ok("max_slot_wal_keep_size", "max_slot_wal_keep_size",
                     "max_slot_wal_keep_size is " + readable_bytes(s.max_slot_wal_keep_bytes) +
                         ": beyond that the slot is lost rather than the disk"));
  if (s.idle_slot_timeout_ms > 0)
    out.push_back({Severity::warning, "idle_replication_slot_timeout_set", "idle_replication_slot_timeout",
                   "idle_replication_slot_timeout is " + readable_seconds(s.idle_slot_timeout_ms / 1'000) +
                       ": a slot that nobody reads for so long is lost, for instance between two runs of drain",
                   setting_fix(server, "idle_replication_slot_timeout", "0", false)});
  if (s.wal_sender_timeout_ms == 0)
    out.push_back(
        {Severity::note, "wal_sender_timeout_off", "wal_sender_timeout",
         "wal_sender_timeout is 0: after a network cut the server keeps the slot for a vanished relay until TCP "
         "notices, and no other instance can take over before",
         setting_fix(server, "wal_sender_timeout", "60000", false)});
  else if (s.wal_sender_timeout_ms < kShortSenderTimeoutMs)
    out.push_back({Severity::note, "wal_sender_timeout_short", "wal_sender_timeout",
                   "wal_sender_timeout is " + std::to_string(s.wal_sender_timeout_ms) +
                       " ms: short pauses of network or host will cost a reconnect",
                   setting_fix(server, "wal_sender_timeout", "60000", false)});
  return out;
}

namespace {

Finding capture_finding(const TableCapture& capture, const TableFacts& table) {
  std::string types, id;
  for (const auto& rule : capture.events) types += (types.empty() ? "" : ", ") + rule.type;
  for (const auto& column : capture.aggregate_id.empty() ? table.key : capture.aggregate_id) id += (id.empty() ? "" : ", ") + column;
  return ok("captured_table", "table " + table.name(),
            "row changes become events (" + types + "); aggregate id: " + id +
                (table.identity_full
                     ? "; whole old rows are sent (REPLICA IDENTITY FULL)"
                     : "; of old rows only the key is sent, so changed columns are not listed, and large values that did not "
                       "change are left out of an update"));
}

}  // namespace

Findings wal_findings(const SlotSourceConfig& config, const SettingsFacts& s, const WalFacts& wal) {
  const auto rate = std::max(wal.bytes_per_second, wal.average);
  auto text = "the server writes " + readable_bytes(wal.bytes_per_second * 3'600) + " of WAL per hour at this moment";
  if (wal.average_seconds > 0)
    text += ", " + readable_bytes(wal.average * 3'600) + " on average over the last " + readable_seconds(wal.average_seconds);
  if (s.max_slot_wal_keep_bytes < 0 || rate == 0) return {ok("wal_rate", "WAL", text)};
  const auto lasts = s.max_slot_wal_keep_bytes / rate;
  text += "; at the higher of the two, max_slot_wal_keep_size is reached " + readable_seconds(lasts) +
          " after the relay or its sink stops, and the slot is lost";
  if (lasts >= kShortOutageSeconds) return {ok("wal_rate", "WAL", text)};
  return {{Severity::warning, "wal_limit_short", "slot " + config.slot, text,
           "raise max_slot_wal_keep_size to what the disk can spare"}};
}

Findings failover_findings(const SlotSourceConfig& config, const ServerFacts& server, const SettingsFacts& s,
                           const SlotFacts* slot) {
  Findings out;
  const auto subject = "slot " + config.slot;
  if (s.synchronized_standby_slots.empty())
    out.push_back({Severity::warning, "synchronized_standby_slots_unset", "synchronized_standby_slots",
                   "synchronized_standby_slots is empty: events may be delivered before a standby has their transactions, and "
                   "after a failover to it consumers hold events that the new primary never had (the relay then refuses: "
                   "timeline_diverged)",
                   setting_fix(server, "synchronized_standby_slots", "STANDBY_SLOT", false)});
  if (slot && !slot->failover)
    out.push_back({Severity::note, "slot_failover_pending", subject,
                   "the slot is not synchronised to standbys yet; the relay changes that at its next start", ""});
  if (out.empty()) out.push_back(ok("slot_failover", subject, "a promoted standby has the slot, as far as it is synchronised"));
  return out;
}

Findings table_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables) {
  Findings out;
  const auto& c = config.columns;
  for (const auto& t : tables) {
    const auto subject = "table " + t.name();
    if (const auto* capture = config.capture_of(t.name())) {
      out.push_back(capture_finding(*capture, t));
      continue;
    }
    std::string columns;
    for (const auto* name : {&c.id, &c.aggregate_type, &c.aggregate_id, &c.event_type, &c.payload})
      if (!name->empty()) columns += (columns.empty() ? "" : ", ") + *name + " " + type_of(t, *name);
    out.push_back(ok("outbox_table", subject, "columns: " + columns));
    if (t.table.partitioned)
      out.push_back({Severity::note, "outbox_table_partitioned", subject,
                     "the table has " + std::to_string(t.table.leaf_oids.size()) +
                         " partitions; events of all of them are delivered under its name",
                     ""});
  }
  return out;
}

namespace {

void check_operations(const SlotSourceConfig& config, const std::vector<TableFacts>& tables, const PublicationFacts& p,
                      Findings& out) {
  const auto subject = "publication " + config.publication;
  for (const auto& t : tables) {
    if (!t.table.replica_identity && (p.updates || p.deletes))
      out.push_back({Severity::error, "replica_identity_missing", "table " + t.name(),
                     t.name() +
                         " has no replica identity, but the publication publishes updates or deletes: every UPDATE or "
                         "DELETE of the application on it fails",
                     publish_inserts_sql(config, false)});
    if (const auto why = why_updates_fail(&p, t); !why.empty() && (p.updates || p.deletes))
      out.push_back({Severity::error, "publication_breaks_updates", "table " + t.name(),
                     "every UPDATE or DELETE of the application on " + t.name() + " fails as long as it is published: " + why,
                     p.column_lists.empty() ? "ALTER TABLE " + quote_table(t.table.schema, t.table.name) +
                                                  " REPLICA IDENTITY USING INDEX UNIQUE_INDEX;"
                                            : whole_table_sql(config, t)});
    const bool moves_hidden = config.is_outbox(t.name()) && t.table.partitioned && !p.via_root && p.inserts && !p.deletes;
    if (moves_hidden)
      out.push_back(
          {Severity::warning, "publication_row_moves", subject,
           "an UPDATE that moves a row of " + t.name() +
               " to another partition arrives as an insert alone, and "
               "would be delivered a second time",
           "ALTER PUBLICATION " + quote_identifier(config.publication) + " SET (publish_via_partition_root = true);"});
  }
  if (config.snapshot == SnapshotMode::initial && !(p.updates && p.deletes && p.truncates))
    out.push_back(
        {Severity::note, "publication_changes_hidden", subject,
         "not all of update, delete and truncate are published, so a change of existing rows during an interrupted "
         "initial read would go unnoticed",
         ""});
}

}  // namespace

Findings publication_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                              const PublicationFacts& p) {
  Findings out;
  const auto subject = "publication " + config.publication;
  std::string operations;
  for (const auto& [on, name] :
       {std::pair{p.inserts, "insert"}, {p.updates, "update"}, {p.deletes, "delete"}, {p.truncates, "truncate"}})
    if (on) operations += (operations.empty() ? "" : ", ") + std::string(name);
  out.push_back(
      ok("publication", subject,
         std::string(p.all_tables    ? "publishes all tables"
                     : tables.empty() ? "is there; messages need no table in it"
                                      : "publishes the tables") +
             " (" + operations + ")"));
  if (p.all_tables || !p.schemas.empty())
    out.push_back(
        {Severity::note, "publication_publishes_more", subject,
         std::string(p.all_tables ? "it publishes every table of the database" : "it publishes whole schemas") +
             ", so the server decodes and sends changes that are then dropped (source.unmatched_tables decides)",
         ""});
  const bool partitioned = std::any_of(tables.begin(), tables.end(), [](const auto& t) { return t.table.partitioned; });
  if (partitioned && !p.via_root)
    out.push_back({Severity::note, "publication_via_partitions", subject,
                   "changes of partitioned tables arrive under the names of the partitions; the relay resolves them",
                   ""});
  const auto patterns = config.table_patterns();
  const auto wild = std::find_if(patterns.begin(), patterns.end(),
                                 [](const auto& pattern) { return pattern.find_first_of("*?") != std::string::npos; });
  if (wild != patterns.end() && !p.all_tables)
    out.push_back(
        {Severity::note, "publication_new_tables", subject,
         "a table that is created later and matches " + *wild + " is delivered only when it is also added here",
         "ALTER PUBLICATION " + quote_identifier(config.publication) + " ADD TABLE SCHEMA.TABLE;"});
  check_operations(config, tables, p, out);
  for (const auto* t : unpublished_matches(config, tables, p))
    out.push_back({Severity::warning, "publication_table_missing", "table " + t->name(),
                   t->name() + " matches a configured pattern and is not in the publication: its changes are not delivered",
                   add_to_publication_sql(config, *t)});
  return out;
}

Findings new_publication_findings(const SlotSourceConfig& config, const ServerFacts& server,
                                  const std::vector<TableFacts>& tables) {
  const auto subject = "publication " + config.publication;
  const auto name = "the publication " + quote_identifier(config.publication);
  const auto foreign = std::find_if(tables.begin(), tables.end(), [](const auto& t) { return !t.owned; });
  if (server.may_create && foreign == tables.end())
    return {{Severity::note, "publication_new", subject, name + " does not exist yet; the relay will create it", ""}};
  return {{Severity::error, "publication_create_privilege_missing", subject,
           name + " does not exist yet, and the role " + quote_identifier(server.role) + " may not create it: " +
               (server.may_create ? "it does not own " + foreign->name() : "it lacks CREATE on the database") +
               "; let the owner create it",
           publication_sql(config, tables)}};
}

Findings slot_findings(const SlotSourceConfig& config, const SlotFacts& slot) {
  Findings out;
  const auto subject = "slot " + config.slot;
  std::string text =
      slot.state.active ? "in use by server process " + std::to_string(slot.state.active_pid) : "not in use";
  text += "; confirmed up to " + to_string(slot.state.confirmed_flush) + ", keeps " +
          readable_bytes(slot.retained_bytes) + " of WAL";
  if (!slot.wal_status.empty()) text += ", wal_status " + slot.wal_status;
  if (slot.safe_wal_bytes && *slot.safe_wal_bytes > 0)
    text += ", lost after " + readable_bytes(*slot.safe_wal_bytes) + " more";
  out.push_back(ok("slot", subject, text));
  if (slot.wal_status == "unreserved")
    out.push_back(
        {Severity::error, "slot_about_to_be_lost", subject,
         "the slot keeps more WAL than max_slot_wal_keep_size allows and is lost at the next checkpoint",
         "ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();   -- until the relay has caught up"});
  else if (slot.safe_wal_bytes && *slot.safe_wal_bytes < slot.retained_bytes)
    out.push_back({Severity::warning, "slot_limit_near", subject,
                   "the slot keeps more than half of what max_slot_wal_keep_size allows (" +
                       readable_bytes(*slot.safe_wal_bytes) + " left)",
                   "outbox-relay drain -c FILE --pipeline " + config.pipeline});
  if (slot.temporary)
    out.push_back({Severity::warning, "slot_temporary", subject,
                   "the slot is temporary and ends with the session that made it", drop_slot_sql(config.slot)});
  return out;
}

Findings snapshot_findings(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                           const std::vector<const TableFacts*>& with_rows) {
  Findings out;
  if (config.snapshot == SnapshotMode::never && !with_rows.empty())
    for (const auto* t : with_rows)
      out.push_back({Severity::note, "snapshot_never", "table " + t->name(),
                     "rows exist already and will not be delivered (snapshot: never)", ""});
  if (config.snapshot != SnapshotMode::initial) return out;
  for (const auto& t : tables) {
    if (t.table.has_rows)
      out.push_back(
          {Severity::note, "snapshot_rows", "table " + t.name(),
           (t.table.estimated_rows < 0
                ? std::string("existing rows, their number unknown,")
                : "about " + std::to_string(static_cast<long long>(t.table.estimated_rows)) + " existing rows") +
               " will be delivered first",
           ""});
    const bool random_order = config.snapshot_order_by.empty() && !t.key_types.empty() && t.key_types.front() == "uuid";
    if (random_order && t.table.has_rows)
      out.push_back(
          {Severity::warning, "snapshot_order_random", "table " + t.name(),
           "existing rows are read in the order of " + quote_identifier(t.key.front()) +
               ", a uuid, which is not the order in which they were written",
           "pipelines." + config.pipeline + ".source.snapshot.order_by: COLUMN   # for instance a created_at"});
  }
  return out;
}

Findings transaction_findings(const ServerFacts& server, const std::vector<OpenTransaction>& open,
                              bool may_see_sessions) {
  Findings out;
  for (const auto& t : open) {
    const auto severity = t.age_seconds >= kLongOpenSeconds ? Severity::warning : Severity::note;
    const auto since = " has been open for " + readable_seconds(t.age_seconds) + " in database " +
                       quote_identifier(t.database) + ": no slot can let go of WAL written since";
    if (!t.name.empty())
      out.push_back({severity, "prepared_transaction_open", "prepared transaction " + t.name,
                     "the prepared transaction " + quote_literal(t.name) + " of " + quote_identifier(t.role) + since,
                     "ROLLBACK PREPARED " + quote_literal(t.name) + ";   -- or COMMIT PREPARED, in that database"});
    else
      out.push_back({severity, "transaction_open", "server process " + std::to_string(t.pid),
                     "a transaction of " + quote_identifier(t.role) +
                         (t.application.empty() ? std::string() : " (application " + t.application + ")") + since,
                     "SELECT pg_terminate_backend(" + std::to_string(t.pid) + ");   -- ends that session"});
  }
  if (!may_see_sessions && !server.superuser)
    out.push_back({Severity::note, "sessions_hidden", "role " + server.role,
                   "the role may not see how long other sessions' transactions are open, which would hold WAL back",
                   "GRANT pg_read_all_stats TO " + quote_identifier(server.role) + ';'});
  return out;
}

Findings store_findings(const StoreFacts& store, const std::string& role, bool may_create_tables, bool needed) {
  Findings out;
  for (const auto& publication : store.publications)
    out.push_back({Severity::warning, "store_tables_published", "publication " + publication,
                   "the publication " + quote_identifier(publication) +
                       " publishes the relay's own tables; pipelines ignore "
                       "them, but every progress record is decoded and sent for nothing",
                   "name the tables of the publication instead of FOR ALL TABLES"});
  if (!needed) return out;
  const auto check = [&](const char* name, const StoreTableFacts& t) {
    const auto table = std::string("outbox_relay.") + name;
    const auto code = std::string(name) + "_table";
    if (t.exists && t.usable)
      out.push_back(ok(code, "table " + table, "exists and may be written"));
    else if (t.exists)
      out.push_back({Severity::error, code + "_privilege_missing", "table " + table,
                     "the role " + quote_identifier(role) + " may not read and write " + table,
                     "GRANT USAGE ON SCHEMA outbox_relay TO " + quote_identifier(role) +
                         "; GRANT SELECT, INSERT, UPDATE ON " + table + " TO " + quote_identifier(role) + ";"});
    else
      out.push_back({may_create_tables ? Severity::note : Severity::error, code + "_missing", "table " + table,
                     table + " does not exist" + (may_create_tables ? "; the relay will create it" : ""),
                     may_create_tables ? "" : "psql -f sql/store_tables.sql"});
  };
  check("progress", store.progress);
  check("dead_letter", store.dead_letter);
  return out;
}

}  // namespace relay::connectors::postgres
