#include "connectors/postgres/server_questions_sql.h"

#include <algorithm>

#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {

namespace {

std::string table_of(const TableFacts& t) { return quote_table(t.table.schema, t.table.name); }

void append_column(std::string& sql, const std::string& name, const char* type) {
  if (!name.empty()) sql += (sql.ends_with('(') ? "" : ", ") + quote_identifier(name) + ' ' + type;
}

}  // namespace

std::string create_outbox_sql(const SlotSourceConfig& config, const std::string& schema, const std::string& name) {
  std::string sql = "CREATE TABLE " + quote_table(schema, name) + " (";
  append_column(sql, config.columns.id, "uuid PRIMARY KEY DEFAULT gen_random_uuid()");
  append_column(sql, config.columns.aggregate_type, "text NOT NULL");
  append_column(sql, config.columns.aggregate_id, "text NOT NULL");
  append_column(sql, config.columns.event_type, "text NOT NULL");
  append_column(sql, config.columns.payload, "jsonb");
  return sql + ");";
}

std::string grant_select_sql(const TableFacts& t, const std::string& role) {
  return "GRANT USAGE ON SCHEMA " + quote_identifier(t.table.schema) + " TO " + quote_identifier(role) +
         "; GRANT SELECT ON " + table_of(t) + " TO " + quote_identifier(role) + ';';
}

std::string grant_replication_fix(const ServerFacts& server) {
  const auto role = quote_identifier(server.role);
  if (server.vendor == Vendor::amazon_rds) return "GRANT rds_replication TO " + role + ';';
  return "ALTER ROLE " + role + " REPLICATION;";
}

std::string wal_level_fix(const ServerFacts& server) {
  switch (server.vendor) {
    case Vendor::amazon_rds:
      return "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters "
             "ParameterName=rds.logical_replication,ParameterValue=1,ApplyMethod=pending-reboot"
             "   # then: aws rds reboot-db-instance --db-instance-identifier INSTANCE";
    case Vendor::google_cloud_sql:
      return "gcloud sql instances patch INSTANCE --database-flags=cloudsql.logical_decoding=on"
             "   # name the flags that are set already too; restarts the instance";
    case Vendor::azure:
      return "az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name wal_level "
             "--value logical   # then: az postgres flexible-server restart --resource-group GROUP --name SERVER";
    case Vendor::plain:
      break;
  }
  return "ALTER SYSTEM SET wal_level = 'logical';   -- then restart PostgreSQL";
}

std::string setting_fix(const ServerFacts& server, const std::string& name, const std::string& value, bool needs_restart) {
  switch (server.vendor) {
    case Vendor::amazon_rds:
      return "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters ParameterName=" + name +
             ",ParameterValue=" + value + ",ApplyMethod=" +
             (needs_restart ? "pending-reboot   # then: aws rds reboot-db-instance --db-instance-identifier INSTANCE"
                            : "immediate");
    case Vendor::google_cloud_sql:
      return "gcloud sql instances patch INSTANCE --database-flags=" + name + '=' + value +
             "   # name the flags that are set already too";
    case Vendor::azure:
      return "az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name " + name +
             " --value " + value +
             (needs_restart ? "   # then: az postgres flexible-server restart --resource-group GROUP --name SERVER" : "");
    case Vendor::plain:
      break;
  }
  return "ALTER SYSTEM SET " + name + " = '" + value + "';" +
         (needs_restart ? "   -- then restart PostgreSQL" : " SELECT pg_reload_conf();");
}

std::string add_to_publication_sql(const SlotSourceConfig& config, const TableFacts& t) {
  return "ALTER PUBLICATION " + quote_identifier(config.publication) + " ADD TABLE " + table_of(t) + ';';
}

std::string whole_table_sql(const SlotSourceConfig& config, const TableFacts& t) {
  return "BEGIN; ALTER PUBLICATION " + quote_identifier(config.publication) + " DROP TABLE " + table_of(t) + "; " +
         add_to_publication_sql(config, t) + " COMMIT;";
}

std::string publish_inserts_sql(const SlotSourceConfig& config, bool replica_identities) {
  return "ALTER PUBLICATION " + quote_identifier(config.publication) + " SET (publish = '" +
         (replica_identities ? "insert, update, delete, truncate" : "insert, truncate") + "');";
}

std::string drop_slot_sql(const std::string& slot) {
  return "SELECT pg_drop_replication_slot(" + quote_literal(slot) + ");";
}

std::string choose_snapshot_setting(const SlotSourceConfig& config) {
  return "pipelines." + config.pipeline + ".source.snapshot: initial   # or: never";
}

std::string reset_command(const SlotSourceConfig& config) {
  return "outbox-relay progress reset -c FILE --pipeline " + config.pipeline;
}

// An UPDATE or DELETE on a table without replica identity fails in the application as soon as it is published; then
// only what the relay needs is.
std::string publication_sql(const SlotSourceConfig& config, const std::vector<TableFacts>& tables) {
  std::string sql = "CREATE PUBLICATION " + quote_identifier(config.publication);
  std::string options;
  for (std::size_t i = 0; i < tables.size(); ++i)
    sql += (i == 0 ? " FOR TABLE " : ", ") + table_of(tables[i]);
  const auto may_change = [](const auto& t) { return t.table.replica_identity && why_updates_fail(nullptr, t).empty(); };
  if (!std::all_of(tables.begin(), tables.end(), may_change))
    options = "publish = 'insert, truncate'";
  if (std::any_of(tables.begin(), tables.end(), [](const auto& t) { return t.table.partitioned; }))
    options += std::string(options.empty() ? "" : ", ") + "publish_via_partition_root = true";
  if (!options.empty()) sql += " WITH (" + options + ')';
  return sql + ';';
}

std::string slot_sql(const SlotSourceConfig& config) {
  return "SELECT pg_create_logical_replication_slot(" + quote_literal(config.slot) + ", 'pgoutput'" +
         (config.failover ? ", failover => true);" : ");");
}

std::string stream_fingerprint(const SlotSourceConfig& config) {
  const auto list = [](std::vector<std::string> items, bool sorted) {
    if (sorted) std::sort(items.begin(), items.end());
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + quote_identifier(item);
    return text;
  };
  const auto& c = config.columns;
  std::string captures = config.tables.empty() ? "" : ";captures=";
  for (const auto& capture : config.tables) captures += fingerprint(capture);
  return "publication=" + quote_identifier(config.publication) + ";tables=" + list(config.outbox_tables, true) +
         ";columns=" + list({c.id, c.aggregate_type, c.aggregate_id, c.event_type, c.payload}, false) +
         ";headers=" + list(config.header_columns, false) +
         ";tombstones=" + (config.null_payload_is_tombstone ? "yes" : "no") +
         ";order_by=" + list(config.snapshot_order_by, false) + captures +
         (config.messages ? ";messages=" + quote_identifier(config.messages->prefix) +
                                (config.messages->null_payload_is_tombstone ? ",tombstones" : "")
                          : "");
}

}  // namespace relay::connectors::postgres
