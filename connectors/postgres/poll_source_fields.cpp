#include "connectors/postgres/poll_source_fields.h"

#include <algorithm>
#include <set>

#include "connectors/postgres/source_fields.h"

namespace relay::connectors::postgres {
namespace {

using namespace config;

// The fields that both sources have are the slot source's: described once.
FieldSpec shared_field(const std::vector<FieldSpec>& from, const std::string& name) {
  return *std::find_if(from.begin(), from.end(), [&](const FieldSpec& f) { return f.name == name; });
}

void drop_field(FieldSpec& object, const std::string& name) {
  std::erase_if(object.fields, [&](const FieldSpec& f) { return f.name == name; });
}

FieldSpec relay_column(const std::string& id_like, const char* name, const char* description) {
  auto column =
      shared_field(shared_field(shared_field(slot_source_fields(), "outbox").fields, "columns").fields, id_like);
  column.name = name;
  column.description = description;
  column.default_text = name;
  return column;
}

FieldSpec outbox_spec() {
  const auto shared = shared_field(slot_source_fields(), "outbox");
  auto tables = shared_field(shared.fields, "tables");
  tables.description = "The outbox table: exactly one, no pattern.";
  tables.required = false;
  tables.default_text = "[outbox_relay.outbox]";
  auto columns = shared_field(shared.fields, "columns");
  columns.fields.push_back(relay_column("id", "relay_id", "The relay's own number of a row, from a sequence."));
  columns.fields.push_back(relay_column("id", "relay_xid", "The id of the transaction that wrote the row (xid8)."));
  return object("outbox", "The table into which the application writes its events.",
                {std::move(tables), std::move(columns), shared_field(shared.fields, "header_columns"),
                 shared_field(shared.fields, "null_payload")})
      .usually()
      .defaults("{}");
}

FieldSpec snapshot_spec() {
  auto snapshot = shared_field(slot_source_fields(), "snapshot");
  snapshot.description =
      "What to do at the first start with rows that exist already. Needed as soon as the table has rows. `initial`: "
      "rows "
      "from before the two columns were added, then every other row; `never`: what is committed from the first start "
      "on.";
  drop_field(snapshot, "on_changed_row");
  return snapshot;
}

std::optional<std::string> check_channel(const std::string& name) {
  return name.size() <= 63 ? std::nullopt : std::optional<std::string>("PostgreSQL's names have 63 bytes at most");
}

void check_columns(const Value& outbox, const auto& complain) {
  std::set<std::string> seen;
  for (const auto& [role, name] : outbox["columns"].entries())
    if (!name.as_string().empty() && !seen.insert(name.as_string()).second)
      complain(name, "source.outbox.columns." + role, "the column " + name.as_string() + " has another role already",
               "give each role a column of its own");
  seen.erase(outbox["columns"]["relay_id"].as_string());
  seen.erase(outbox["columns"]["relay_xid"].as_string());
  for (const auto& name : outbox["header_columns"].items())
    if (seen.contains(name.as_string()))
      complain(name, "source.outbox.header_columns", "the column " + name.as_string() + " has a role already",
               "name only further columns");
}

// What a table does not know of its rows.
void check_headers(const Value& pipeline, const auto& complain) {
  for (const auto& header : pipeline["sink"]["headers"].items())
    if (header.as_string() == "commit_lsn" || header.as_string() == "committed_at")
      complain(
          header, "sink.headers",
          "the source poll reads rows of a table, which do not tell their " + header.as_string(),
          "remove it; transaction_id and sequence are known, and a column can be sent: source.outbox.header_columns");
}

}  // namespace

std::vector<FieldSpec> poll_source_fields() {
  return {
      list("create",
           "What the relay may create by itself: the tables outbox_relay.reader, .progress and .dead_letter. Its own "
           "row in "
           "outbox_relay.reader it always makes at the first start.",
           text("", "").one_of({"tables"}))
          .defaults("[]")
          .for_example("[tables]"),
      snapshot_spec(),
      outbox_spec(),
      object("poll",
             "How often the table's sequence is looked at: after `min` while rows come, then twice as long each time "
             "until "
             "`max`. One cheap statement, no transaction id.",
             {duration("min", "The shortest pause, while rows come.").between(1, 60'000).defaults("5ms"),
              duration("max", "The longest pause, while none come: how late the first row after a quiet time may be.")
                  .between(1, 60'000)
                  .defaults("1s")})
          .defaults("{}"),
      text("notify",
           "LISTEN on this channel and look at once when something is notified. NOTIFY in the application's "
           "transactions "
           "makes their commits wait for each other: 10,000 became 4,500 transactions/s.")
          .checked(check_channel)
          .for_example("outbox"),
      duration("purge",
               "Calls outbox_relay.purge() this often, after something was delivered. Without it nobody does. It empties "
               "outbox_relay.outbox, so only a pipeline that reads that table has it.")
          .between(1'000, 86'400'000)
          .for_example("1m"),
  };
}

void validate_poll_source(const Value& part, const Value& pipeline, Diagnostics& out) {
  const auto complain = [&](const Value& at, std::string field, std::string message, std::string hint) {
    out.push_back({at.mark(), std::move(field), std::move(message), std::move(hint), false});
  };
  const auto& tables = part["outbox"]["tables"];
  if (tables.items().size() != 1)
    complain(tables, "source.outbox.tables", "a pipeline that polls has exactly one table",
             "a pipeline of its own for each table");
  for (const auto& table : tables.items())
    if (table.as_string().find_first_of("*?") != std::string::npos)
      complain(table, "source.outbox.tables",
               "a pattern may match several tables, and a pipeline that polls has exactly one", "write schema.table");
  if (part["poll"]["min"].as_duration() > part["poll"]["max"].as_duration())
    complain(part["poll"]["min"], "source.poll.min", "it is longer than source.poll.max", "make min the shorter one");
  const auto& snapshot = part["snapshot"];
  if (snapshot && snapshot["order_by"] && snapshot["mode"].as_string() == "never")
    complain(snapshot["order_by"], "source.snapshot.order_by", "existing rows are not read, so they have no order",
             "remove order_by, or set mode: initial");
  if (part["purge"] && !tables.items().empty() && tables.items().front().as_string() != "outbox_relay.outbox")
    complain(part["purge"], "source.purge", "it empties outbox_relay.outbox, which this pipeline does not read",
             "remove purge; rows of a table of your own are yours to delete, when outbox_relay.reader says they are delivered");
  check_columns(part["outbox"], complain);
  check_headers(pipeline, complain);
}

PollSourceConfig poll_source_config(const BuildContext& context) {
  const auto& part = context.pipeline_config["source"];
  const auto& columns = part["outbox"]["columns"];
  PollSourceConfig out;
  out.common = outbox_config(context);
  out.id_column = columns["relay_id"].as_string();
  out.xid_column = columns["relay_xid"].as_string();
  out.shortest_interval = part["poll"]["min"].as_duration();
  out.longest_interval = part["poll"]["max"].as_duration();
  if (part["notify"]) out.notify_channel = part["notify"].as_string();
  if (part["purge"]) out.purge_interval = part["purge"].as_duration();
  return out;
}

}  // namespace relay::connectors::postgres
