#include "connectors/postgres/server_questions_checks.h"

#include <algorithm>

#include "connectors/postgres/capture_checks.h"
#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/server_questions_sql.h"

namespace relay::connectors::postgres {

namespace {

constexpr int kOldestVersion = 130000;
constexpr int kOldestWithMessages = 140000;
constexpr int kOldestWithFailover = 170000;

bool contains(const std::vector<std::string>& items, std::string_view item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

bool is_wildcard(std::string_view pattern) { return pattern.find_first_of("*?") != std::string_view::npos; }

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

struct Role {
  const char* key;  // below outbox.columns
  const std::string& column;
};
std::vector<Role> roles_of(const OutboxColumns& c) {
  return {{"id", c.id},
          {"aggregate_type", c.aggregate_type},
          {"aggregate_id", c.aggregate_id},
          {"event_type", c.event_type},
          {"payload", c.payload}};
}

std::string column_names(const TableFacts& table) {
  std::vector<std::string> names;
  for (const auto& c : table.columns) names.push_back(c.name);
  return joined(names);
}

// What a configured column is when it is not one that the walsender sends; empty when all is well.
std::string why_no_column(const TableFacts& table, const std::string& name, const PublicationFacts* publication) {
  const auto* column = table.column(name);
  if (!column) return "has no column " + quote_identifier(name);
  if (column->generated && !is_sent(publication, table, *column))
    return "has " + quote_identifier(name) + " as a generated column, which is not published";
  return {};
}

void check_columns(const SlotSourceConfig& config, const TableFacts& table, const PublicationFacts* publication,
                   Problems& out) {
  const auto missing = [&](const std::string& why, const std::string& what, std::string fix) {
    out.push_back({ErrorKind::fatal, "outbox_column_missing", "table " + table.name(),
                   "the outbox table " + table.name() + " " + why + ", configured as " + what +
                       "; its columns are: " + column_names(table),
                   "name the column that has this role", std::move(fix)});
  };
  for (const auto& [key, column] : roles_of(config.columns)) {
    if (column.empty()) continue;
    if (const auto why = why_no_column(table, column, publication); !why.empty())
      missing(why, "outbox.columns." + std::string(key),
              "pipelines." + config.pipeline + ".source.outbox.columns." + key + ": COLUMN");
  }
  for (const auto& column : config.header_columns) {
    if (column == "*") continue;
    if (const auto why = why_no_column(table, column, publication); !why.empty())
      missing(why, "a header column", "pipelines." + config.pipeline + ".source.outbox.header_columns: [COLUMN, ...]");
  }
}

Problem table_missing(const SlotSourceConfig& config, const std::string& pattern, const std::vector<Misfit>& misfits) {
  const bool outbox = contains(config.outbox_tables, pattern);
  const std::string what = outbox ? "the outbox table " : "the captured table ";
  Problem p{ErrorKind::fatal, outbox ? "outbox_table_missing" : "captured_table_missing", "table " + pattern, "", "", ""};
  const auto misfit = std::find_if(misfits.begin(), misfits.end(), [&](const auto& m) { return m.name == pattern; });
  if (misfit != misfits.end()) {
    p.message = what + pattern + " cannot be used: it " + misfit->reason;
    p.advice = "name an ordinary or partitioned table";
  } else if (is_wildcard(pattern)) {
    p.message = "no table of this database matches the pattern " + pattern;
    p.advice = "check the pattern and the database of database.url";
  } else {
    p.message = what + pattern + " does not exist in this database (names are case-sensitive here)";
    p.advice = "create it";
    const auto dot = pattern.find('.');
    if (outbox && dot != std::string::npos) p.fix = create_outbox_sql(config, pattern.substr(0, dot), pattern.substr(dot + 1));
  }
  if (p.fix.empty())
    p.fix = "pipelines." + config.pipeline + (outbox ? ".source.outbox.tables: [SCHEMA.TABLE]" : ".source.tables: [SCHEMA.TABLE]");
  return p;
}

// The oids under which a row filter or column list of this table may be noted.
std::vector<std::uint32_t> members(const TableFacts& table) {
  auto oids = table.table.leaf_oids;
  oids.push_back(table.table.oid);
  return oids;
}

const std::set<std::string>* column_list(const PublicationFacts& publication, const TableFacts& table) {
  for (const auto oid : members(table))
    if (const auto list = publication.column_lists.find(oid); list != publication.column_lists.end()) return &list->second;
  return nullptr;
}

bool only_a_pattern_names(const SlotSourceConfig& config, const TableFacts& table) {
  return !contains(config.table_patterns(), table.name());
}

std::string hidden_column(const SlotSourceConfig& config, const PublicationFacts& publication,
                          const TableFacts& table) {
  for (const auto oid : members(table)) {
    const auto list = publication.column_lists.find(oid);
    if (list == publication.column_lists.end()) continue;
    for (const auto& column : event_columns(config, table))
      if (!list->second.contains(column)) return column;
  }
  return {};
}

Problem publication_missing(const SlotSourceConfig& config, const std::vector<TableFacts>& tables, bool slot_exists) {
  const auto sql = publication_sql(config, tables);
  if (slot_exists)
    return {
        ErrorKind::fatal,
        "publication_missing",
        "publication " + config.publication,
        "the publication " + quote_identifier(config.publication) + " does not exist, but the slot " +
            quote_identifier(config.slot) + " does; what was written before the publication exists cannot be decoded",
        "create it; if decoding still refuses the changes made without it, begin anew with: " + reset_command(config) +
            "; the publication",
        sql};
  return {ErrorKind::fatal,
          "publication_missing",
          "publication " + config.publication,
          "the publication " + quote_identifier(config.publication) + " does not exist",
          "create it before the slot (or let the relay do it: create: [publication, slot])",
          sql};
}

Problem slot_problem(const std::string& slot, std::string code, const std::string& what, std::string advice,
                     std::string fix) {
  return {ErrorKind::fatal,  std::move(code), "slot " + slot, "the slot " + quote_identifier(slot) + " " + what,
          std::move(advice), std::move(fix)};
}

// What this role cannot read.
void check_privileges(const ServerFacts& server, const TableFacts& t, Problems& out) {
  const auto role = quote_identifier(server.role);
  if (!t.may_select)
    out.push_back({ErrorKind::fatal, "select_privilege_missing", "table " + t.name(),
                   "the role " + role + " may not read " + t.name() + ", whose existing rows are wanted first", "",
                   grant_select_sql(t, server.role)});
  if (t.row_security)
    out.push_back({ErrorKind::fatal, "row_security_hides_rows", "table " + t.name(),
                   "row-level security on " + t.name() + " would hide existing rows from the role " + role, "",
                   "ALTER ROLE " + role + " BYPASSRLS;"});
}

}  // namespace

Error Problem::error() const {
  auto hint = advice;
  if (!fix.empty()) hint += (hint.empty() ? "" : ": ") + fix;
  return {kind, code, "checking the database: " + message, std::move(hint)};
}

Finding Problem::finding() const {
  auto sentence = message;
  if (!advice.empty()) sentence += "; " + advice;
  return {Severity::error, code, subject, std::move(sentence), fix};
}

std::vector<std::string> event_columns(const SlotSourceConfig& config, const TableFacts& table) {
  if (const auto* capture = config.capture_of(table.name())) return named_columns(*capture, table);
  const bool all = contains(config.header_columns, "*");
  std::vector<std::string> names;
  for (const auto& c : table.columns) {
    const auto roles = roles_of(config.columns);
    const bool role = std::any_of(roles.begin(), roles.end(), [&](const Role& r) { return r.column == c.name; });
    if ((all && !c.generated) || role || contains(config.header_columns, c.name)) names.push_back(c.name);
  }
  return names;
}

bool is_published(const PublicationFacts& publication, const TableFacts& table) {
  if (publication.all_tables || publication.tables.contains(table.table.oid) ||
      publication.schemas.contains(table.table.schema))
    return true;
  const auto& leaves = table.table.leaf_oids;
  return !leaves.empty() &&
         std::all_of(leaves.begin(), leaves.end(), [&](auto oid) { return publication.tables.contains(oid); });
}

bool is_sent(const PublicationFacts* publication, const TableFacts& table, const ColumnFacts& column) {
  const auto* list = publication ? column_list(*publication, table) : nullptr;
  if (list) return list->contains(column.name);
  return !column.generated || (column.generated == 's' && publication && publication->generated_columns);
}

// As the server's CheckCmdReplicaIdentity does: a FULL identity goes with no column list at all.
std::string why_updates_fail(const PublicationFacts* publication, const TableFacts& table) {
  if (!table.table.replica_identity) return {};
  const auto* list = publication ? column_list(*publication, table) : nullptr;
  if (list && table.identity_full) return "its replica identity is FULL, and the publication has a column list for it";
  for (const auto& column : table.columns) {
    if (list && table.identity_columns.contains(column.name) && !list->contains(column.name))
      return "the publication's column list leaves out " + quote_identifier(column.name) + " of its replica identity";
    if (table.identity_full && table.full_needs_generated && column.generated && !is_sent(publication, table, column))
      return "its replica identity is FULL and holds the generated column " + quote_identifier(column.name) +
             ", which is not published";
  }
  return {};
}

namespace {

bool wants_old_rows(const SlotSourceConfig& config, const TableFacts& table) {
  const auto* capture = config.capture_of(table.name());
  return capture && (capture->wants(Operation::update) || capture->wants(Operation::remove));
}

}  // namespace

Problems new_publication_problems(const SlotSourceConfig& config, const std::vector<TableFacts>& tables) {
  const auto wants = std::find_if(tables.begin(), tables.end(), [&](const auto& t) { return wants_old_rows(config, t); });
  if (wants == tables.end()) return {};
  Problems out;
  for (const auto& t : tables) {
    const auto why = t.table.replica_identity ? why_updates_fail(nullptr, t) : "it has no replica identity";
    if (why.empty()) continue;
    out.push_back({ErrorKind::fatal, "publication_breaks_updates", "table " + t.name(),
                   "a publication with the updates and deletes of " + wants->name() + " and with " + t.name() +
                       " would make each UPDATE and DELETE of the application on " + t.name() + " fail: " + why,
                   "capture it in a pipeline with a publication of its own, or give it another replica identity (takes ACCESS "
                   "EXCLUSIVE for an instant)",
                   "ALTER TABLE " + quote_table(t.table.schema, t.table.name) + " REPLICA IDENTITY " +
                       (t.table.replica_identity || t.full_needs_generated ? "USING INDEX UNIQUE_INDEX;" : "FULL;")});
  }
  return out;
}

std::vector<const TableFacts*> unpublished_matches(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                                                   const PublicationFacts& publication) {
  std::vector<const TableFacts*> found;
  for (const auto& t : tables)
    if (only_a_pattern_names(config, t) && !is_published(publication, t)) found.push_back(&t);
  return found;
}

Problems version_problems(const SlotSourceConfig& config, int server_version) {
  if (server_version >= kOldestVersion && server_version < kOldestWithFailover && config.failover)
    return {{ErrorKind::fatal, "failover_unsupported", "server",
             "the server is PostgreSQL " + std::to_string(server_version / 10000) +
                 ", which does not synchronise slots to standbys; source.failover needs 17 or later",
             "upgrade the server, or remove", "pipelines." + config.pipeline + ".source.failover: true"}};
  if (server_version >= kOldestVersion && server_version < kOldestWithMessages && config.messages)
    return {{ErrorKind::fatal, "messages_unsupported", "server",
             "the server is PostgreSQL " + std::to_string(server_version / 10000) +
                 ", whose pgoutput sends no logical messages; source.messages needs 14 or later",
             "upgrade the server, or write events into an outbox table: source.outbox", ""}};
  if (server_version >= kOldestVersion) return {};
  return {{ErrorKind::fatal, "version_unsupported", "server",
           "the server is PostgreSQL " + std::to_string(server_version / 10000) + "; the relay needs 13 or later",
           "upgrade the server", ""}};
}

Problems server_problems(const ServerFacts& server) {
  Problems out;
  if (server.in_recovery)
    out.push_back({ErrorKind::transient, "database_in_recovery", "server",
                   "the server is a standby (in recovery), which accepts no writes and no slot of ours",
                   "connect to the primary, with several hosts in database.url", "target_session_attrs=read-write"});
  if (server.wal_level != "logical")
    out.push_back({ErrorKind::fatal, "wal_level_not_logical", "wal_level",
                   "wal_level is " + server.wal_level + "; a replication slot for rows needs logical",
                   "set it and restart the server", wal_level_fix(server)});
  if (!server.may_replicate)
    out.push_back({ErrorKind::fatal, "role_without_replication", "role " + server.role,
                   "the role " + quote_identifier(server.role) + " lacks the REPLICATION attribute", "",
                   grant_replication_fix(server)});
  return out;
}

Problems table_problems(const SlotSourceConfig& config, const TablesFacts& facts, const PublicationFacts* publication) {
  Problems out;
  for (const auto& pattern : config.table_patterns())
    if (std::none_of(facts.tables.begin(), facts.tables.end(),
                     [&](const auto& t) { return matches_any({pattern}, t.name()); }))
      out.push_back(table_missing(config, pattern, facts.misfits));
  for (const auto& t : facts.tables) {
    if (const auto* capture = config.capture_of(t.name())) {
      check_capture(config, *capture, t, publication, out);
      continue;
    }
    check_columns(config, t, publication, out);
    if (t.unlogged)
      out.push_back(
          {ErrorKind::fatal, "outbox_table_unlogged", "table " + t.name(),
           "the outbox table " + t.name() + " is unlogged (or a partition of it is), so its rows are not in the WAL",
           "", "ALTER TABLE " + quote_table(t.table.schema, t.table.name) + " SET LOGGED;"});
  }
  return out;
}

Problems publication_problems(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                              const PublicationFacts* publication, bool slot_exists) {
  if (!publication) return {publication_missing(config, tables, slot_exists)};
  Problems out;
  const auto add = [&](const char* code, std::string message, std::string advice, std::string fix) {
    out.push_back({ErrorKind::fatal, code, "publication " + config.publication,
                   "the publication " + quote_identifier(config.publication) + " " + std::move(message),
                   std::move(advice), std::move(fix)});
  };
  const bool identities =
      std::all_of(tables.begin(), tables.end(), [](const auto& t) { return t.table.replica_identity; });
  const bool outboxes = std::any_of(tables.begin(), tables.end(), [&](const auto& t) { return config.is_outbox(t.name()); });
  if (!publication->inserts && outboxes)
    add("publication_without_insert", "does not publish inserts, so no event would ever arrive", "",
        publish_inserts_sql(config, identities));
  for (const auto& t : tables) {
    if (!is_published(*publication, t)) {
      if (slot_exists && only_a_pattern_names(config, t)) continue;
      add("publication_table_missing", "does not contain the table " + t.name(),
          "add it (rows written before that are not delivered)", add_to_publication_sql(config, t));
      continue;
    }
    if (const auto* capture = config.capture_of(t.name())) check_operations(config, *capture, t, *publication, out);
    const auto oids = members(t);
    if (std::any_of(oids.begin(), oids.end(), [&](auto oid) { return publication->filtered.contains(oid); }))
      add("publication_row_filter", "has a row filter on " + t.name() + ", so some of its events would never arrive",
          "publish the whole table", whole_table_sql(config, t));
    if (const auto hidden = hidden_column(config, *publication, t); !hidden.empty())
      add("publication_column_list",
          "has a column list on " + t.name() + " that leaves out " + quote_identifier(hidden) + ", which events need",
          "publish the whole table", whole_table_sql(config, t));
  }
  return out;
}

Problems slot_problems(const SlotSourceConfig& config, const ServerFacts& server, const SlotFacts& slot) {
  Problems out;
  const auto other_name = "pipelines." + config.pipeline + ".source.slot: ANOTHER_NAME";
  const auto add = [&](const char* code, const std::string& what, std::string advice, std::string fix) {
    out.push_back(slot_problem(config.slot, code, what, std::move(advice), std::move(fix)));
  };
  if (slot.type != "logical") {
    add("slot_physical", "is a physical slot", "choose another name", other_name);
    return out;
  }
  if (slot.plugin != "pgoutput")
    add("slot_wrong_plugin", "belongs to the output plugin " + slot.plugin + ", not pgoutput", "choose another name",
        other_name);
  if (slot.database != server.database)
    add("slot_wrong_database",
        "belongs to the database " + quote_identifier(slot.database) + ", this is " + quote_identifier(server.database),
        "choose another name, or the other database", other_name);
  if (slot.two_phase)
    add("slot_two_phase", "decodes prepared transactions (two_phase), before it is known whether they commit",
        "use a slot without two_phase", other_name);
  if (slot.wal_status == "lost" || !slot.invalidation.empty())
    add("slot_lost",
        "is lost (" + (slot.invalidation.empty() ? "wal_removed" : slot.invalidation) + "): changes since " +
            to_string(slot.state.confirmed_flush) + " cannot be read any more",
        "accept that loss with: " + reset_command(config) + "; then drop the slot", drop_slot_sql(config.slot));
  return out;
}

Problems creation_problems(const SlotSourceConfig& config, const ServerFacts& server,
                           const std::vector<TableFacts>& tables, const std::vector<const TableFacts*>& with_rows) {
  Problems out;
  if (!config.create_slot)
    out.push_back(slot_problem(
        config.slot, "slot_missing", "has to be created, and create: [slot] is not set",
        "let the relay make it with create: [slot], or run",
        slot_sql(config) + "   -- then: outbox-relay progress adopt -c FILE --pipeline " + config.pipeline));
  if (config.snapshot == SnapshotMode::unset && !with_rows.empty()) {
    std::vector<std::string> counts;
    for (const auto* t : with_rows)
      counts.push_back(t->name() +
                       (t->table.estimated_rows < 0
                            ? " (number unknown)"
                            : " (about " + std::to_string(static_cast<long long>(t->table.estimated_rows)) + ")"));
    out.push_back(
        {ErrorKind::fatal, "snapshot_choice_required", "pipeline " + config.pipeline,
         "rows exist already, and the configuration does not say whether they are delivered: " + joined(counts),
         "choose initial (they are delivered first) or never", choose_snapshot_setting(config)});
  }
  if (config.snapshot == SnapshotMode::initial)
    for (const auto& t : tables) {
      const auto* capture = config.capture_of(t.name());
      if (capture && !capture->takes_initial_rows()) continue;
      check_privileges(server, t, out);
      for (auto& problem : initial_read_problems(config, t)) out.push_back(std::move(problem));
    }
  return out;
}

Problems initial_read_problems(const SlotSourceConfig& config, const TableFacts& t) {
  Problems out;
  const auto add = [&](const char* code, std::string message, std::string advice, std::string fix) {
    out.push_back({ErrorKind::fatal, code, "table " + t.name(), std::move(message), std::move(advice), std::move(fix)});
  };
  const auto table = quote_table(t.table.schema, t.table.name);
  const bool outbox = config.is_outbox(t.name());
  if (t.key.empty())
    add("snapshot_no_unique_key",
        t.name() +
            " has no primary key and no unique index over not-null columns, so an interrupted initial read could "
            "not be taken up again",
        "add a key, or choose snapshot: never",
        "ALTER TABLE " + table + " ADD PRIMARY KEY (" + (outbox ? quote_identifier(config.columns.id) : "COLUMN") + ");");
  if (!outbox) return out;
  for (const auto& name : config.snapshot_order_by) {
    const auto* column = t.column(name);
    if (!column)
      add("snapshot_order_column_missing",
          t.name() + " has no column " + quote_identifier(name) +
              ", configured as snapshot.order_by; its columns are: " + column_names(t),
          "", "pipelines." + config.pipeline + ".source.snapshot.order_by: COLUMN");
    else if (!column->not_null)
      add("snapshot_order_nullable",
          t.name() + " allows NULL in " + quote_identifier(name) +
              ", configured as snapshot.order_by; rows with NULL have "
              "no place in an order that can be taken up again",
          "choose another column, or",
          "ALTER TABLE " + table + " ALTER COLUMN " + quote_identifier(name) + " SET NOT NULL;");
  }
  return out;
}

}  // namespace relay::connectors::postgres
