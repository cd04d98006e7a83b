#include "connectors/postgres/source_fields.h"

#include <algorithm>
#include <set>

#include "connectors/postgres/table_fields.h"

namespace relay::connectors::postgres {
namespace {

using namespace config;

std::optional<std::string> check_optional_name(const std::string& name) {
  return name.empty() ? std::nullopt : check_name(name);
}

FieldSpec column(const char* role, const char* description, const char* standard, bool needed) {
  return text(role, description).defaults(standard).checked(needed ? check_name : check_optional_name);
}

FieldSpec columns_spec() {
  return object("columns", "Which column plays which role. An empty name (\"\"): there is no such column.",
                {column("id", "The event's id, unique.", "id", true),
                 column("aggregate_type", "The kind of thing that the event is about.", "aggregatetype", false),
                 column("aggregate_id", "Which one; events of one aggregate keep their order.", "aggregateid", false),
                 column("event_type", "What happened.", "type", false),
                 column("payload",
                        "The event's content. bytea is sent as the bytes it stands for, any other type as text.",
                        "payload", true)})
      .defaults("{}");
}

FieldSpec outbox_spec() {
  auto tables = list("tables", "The outbox tables; `*` and `?` match any name or letter within schema or table.",
                     text("", "schema.table").checked(check_table));
  auto headers = list("header_columns", "Further columns that become headers; `*`: every column without a role.",
                      text("", "A column.").checked(check_name));
  return object("outbox", "The tables into which the application writes its events.",
                {std::move(tables).require().for_example("[public.outbox]"), columns_spec(),
                 std::move(headers).defaults("[]").for_example("[tenant_id]"),
                 text("null_payload",
                      "What a row with a NULL payload is: an event that can never be delivered, or a tombstone.")
                     .one_of({"reject", "tombstone"})
                     .defaults("reject")})
      .usually();
}

FieldSpec messages_spec() {
  return object("messages",
                "Logical messages as events: an outbox without a table. The application, or a trigger, calls "
                "pg_logical_emit_message(true, 'outbox', '{...}') with one event or an array of them. PostgreSQL 14 or newer.",
                {text("prefix", "The first argument after `true`; messages with another one are somebody else's.")
                     .defaults("outbox")
                     .checked(check_name),
                 text("null_payload",
                      "What an event is whose payload is null or missing: one that can never be delivered, or a tombstone.")
                     .one_of({"reject", "tombstone"})
                     .defaults("reject")})
      .for_example("{prefix: outbox}");
}

FieldSpec snapshot_spec() {
  return object("snapshot",
                "What to do at the first start with rows that exist already. Needed as soon as a table has rows.",
                {text("mode", "`initial`: deliver them first; `never`: leave them.")
                     .one_of({"initial", "never"})
                     .require(),
                 text("order_by",
                      "The column in whose order they are delivered, or several, separated by commas; "
                      "without it, the order of the key.")
                     .for_example("created_at"),
                 text("on_changed_row",
                      "When the initial read was interrupted, and rows that it had still to read were "
                      "updated or deleted meanwhile: stop, or say so in the log and go on.")
                     .one_of({"refuse", "report"})
                     .defaults("refuse")})
      .short_for("mode");
}

std::vector<std::string> strings(const Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.push_back(item.as_string());
  return out;
}

std::vector<std::string> comma_separated(const std::string& text) {
  std::vector<std::string> out{""};
  for (const char c : text)
    if (c == ',')
      out.emplace_back();
    else if (c != ' ' || !out.back().empty())
      out.back() += c;
  for (auto& name : out) name.erase(name.find_last_not_of(' ') + 1);
  std::erase(out, "");
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

void read_outbox(const Value& outbox, SlotSourceConfig& out) {
  if (!outbox) return;
  const auto& columns = outbox["columns"];
  out.outbox_tables = strings(outbox["tables"]);
  out.columns = {columns["id"].as_string(), columns["aggregate_type"].as_string(), columns["aggregate_id"].as_string(),
                 columns["event_type"].as_string(), columns["payload"].as_string()};
  out.header_columns = strings(outbox["header_columns"]);
  out.null_payload_is_tombstone = outbox["null_payload"].as_string() == "tombstone";
}

void read_snapshot(const Value& snapshot, SlotSourceConfig& out) {
  if (!snapshot) return;
  out.snapshot = snapshot["mode"].as_string() == "initial" ? SnapshotMode::initial : SnapshotMode::never;
  if (snapshot["order_by"]) out.snapshot_order_by = comma_separated(snapshot["order_by"].as_string());
  if (snapshot["on_changed_row"])
    out.on_changed_row = snapshot["on_changed_row"].as_string() == "report" ? OnChangedRow::report : OnChangedRow::refuse;
}

}  // namespace

std::vector<FieldSpec> slot_source_fields() {
  return {
      text("slot", "The replication slot; without it, outbox_relay_<pipeline>.")
          .matching("[a-z0-9_]{1,63}", "1 to 63 lower-case letters, digits and underscores, as PostgreSQL demands")
          .for_example("outbox_relay_orders"),
      text("publication", "The publication that names the tables; one without tables is enough for messages.").defaults("outbox_relay").checked(check_name),
      list("create", "What the relay may create by itself at the first start; of everything else it prints the SQL.",
           text("", "").one_of({"publication", "slot", "tables"}))
          .defaults("[]")
          .for_example("[publication, slot]"),
      boolean("failover", "Has the slot synchronised to standbys, so that the relay goes on with a promoted one. PostgreSQL 17 or "
                          "newer; `false` leaves a slot as it is; the README of connectors/postgres says what the servers need for it.")
          .defaults("false"),
      snapshot_spec(),
      outbox_spec(),
      tables_field(),
      messages_spec(),
      text("unmatched_tables", "When a row comes of a published table that neither `outbox.tables` nor `tables` names.")
          .one_of({"refuse", "ignore"})
          .defaults("refuse"),
      duration("status_interval",
               "How often the server is told how far everything is delivered; a quarter of its "
               "wal_sender_timeout when that is shorter.")
          .between(100, 60'000)
          .defaults("2s"),
  };
}

void validate_slot_source(const Value& part, const Value&, Diagnostics& out) {
  const auto complain = [&](const Value& at, std::string field, std::string message, std::string hint) {
    out.push_back({at.mark(), std::move(field), std::move(message), std::move(hint), false});
  };
  const auto& outbox = part["outbox"];
  const auto& snapshot = part["snapshot"];
  if (snapshot && snapshot["order_by"] && snapshot["mode"].as_string() == "never")
    complain(snapshot["order_by"], "source.snapshot.order_by", "existing rows are not read, so they have no order",
             "remove order_by, or set mode: initial");
  const bool tables = !part["tables"].items().empty();
  validate_tables(part["tables"], out);
  if (!outbox && !tables && !part["messages"])
    complain(part, "source", "nothing is named that events come from",
             "outbox: {tables: [public.outbox]}, or tables: [public.orders], or messages: {prefix: outbox}");
  if (!outbox && !tables && snapshot)
    complain(snapshot, "source.snapshot", "messages are not kept anywhere, so none exist before the slot", "remove snapshot");
  std::set<std::string> seen;
  for (const auto& [role, name] : outbox["columns"].entries())
    if (!name.as_string().empty() && !seen.insert(name.as_string()).second)
      complain(name, "source.outbox.columns." + role, "the column " + name.as_string() + " has another role already",
               "give each role a column of its own");
  for (const auto& name : outbox["header_columns"].items())
    if (seen.contains(name.as_string()))
      complain(name, "source.outbox.header_columns", "the column " + name.as_string() + " has a role already",
               "name only further columns");
}

ConnectionConfig connection_config(const BuildContext& context) {
  return connection_config(context.database, context.pipeline);
}

ConnectionConfig connection_config(const config::Value& database, const std::string& who) {
  ConnectionConfig out;
  out.url = database["url"].as_secret();
  if (database["password_file"]) out.password_file = database["password_file"].as_string();
  out.password_command = strings(database["password_command"]);
  out.application_name = "outbox-relay " + who;
  out.connect_timeout = database["connect_timeout"].as_duration();
  return out;
}

SlotSourceConfig outbox_config(const BuildContext& context) {
  const auto& part = context.pipeline_config["source"];
  SlotSourceConfig out;
  out.connection = connection_config(context);
  out.pipeline = context.pipeline;
  out.create_tables = contains(strings(part["create"]), "tables");
  read_snapshot(part["snapshot"], out);
  read_outbox(part["outbox"], out);
  return out;
}

SlotSourceConfig slot_source_config(const BuildContext& context) {
  const auto& part = context.pipeline_config["source"];
  auto out = outbox_config(context);
  out.slot = part["slot"] ? part["slot"].as_string() : "outbox_relay_" + context.pipeline;
  out.publication = part["publication"].as_string();
  const auto create = strings(part["create"]);
  out.create_publication = contains(create, "publication");
  out.create_slot = contains(create, "slot");
  out.failover = part["failover"].as_bool();
  out.tables = table_captures(part["tables"]);
  if (!part["outbox"] && out.tables.empty()) out.snapshot = SnapshotMode::never;
  if (const auto& messages = part["messages"])
    out.messages = MessageSource{messages["prefix"].as_string(), messages["null_payload"].as_string() == "tombstone"};
  out.unmatched_tables_ignored = part["unmatched_tables"].as_string() == "ignore";
  out.status_interval = part["status_interval"].as_duration();
  return out;
}

}  // namespace relay::connectors::postgres
