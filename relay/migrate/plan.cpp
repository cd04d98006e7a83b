#include "relay/migrate/plan.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "relay/migrate/sql_text.h"
#include "sql/embedded.h"

namespace relay::migrate {
namespace {

using Variables = std::map<std::string, std::string>;

constexpr std::array<std::string_view, 8> kOrder{"store",   "reader",  "outbox",      "messages",
                                                 "columns", "capture", "publication", "roles"};

tl::unexpected<Error> invalid(std::string why, std::string hint) {
  return fail(ErrorKind::fatal, "migration_invalid", "planning the migrations: " + std::move(why), std::move(hint));
}

bool into_outbox(const Capture& capture) {
  const auto options = nlohmann::json::parse(capture.options);
  return options.value("into", "outbox") == "outbox";
}

// The parts asked for, with those that they need.
std::set<std::string, std::less<>> wanted_parts(const Request& request) {
  std::set<std::string, std::less<>> parts(request.parts.begin(), request.parts.end());
  if (!request.captures.empty()) parts.insert("capture");
  if (!request.existing_outbox.empty()) parts.insert("columns");
  if (!request.published.empty()) parts.insert("publication");
  if (!request.relay_role.empty() || !request.app_role.empty()) parts.insert("roles");
  if (std::any_of(request.captures.begin(), request.captures.end(), into_outbox)) parts.insert("outbox");
  if (parts.empty()) parts.insert("outbox");
  if (parts.contains("outbox") || parts.contains("columns")) parts.insert("reader");
  return parts;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Tables of schema outbox_relay.
std::string tables_are_there(const std::vector<std::string>& tables) {
  std::string out;
  for (const auto& table : tables)
    out += (out.empty() ? "" : " AND ") + ("pg_catalog.to_regclass('outbox_relay." + table + "') IS NOT NULL");
  return out;
}

std::string publication_is_there(const std::string& publication, const std::vector<std::string>& tables) {
  const auto ours = "pg_catalog.pg_publication p WHERE p.pubname = " + sql_literal(publication);
  auto out = "EXISTS (SELECT FROM " + ours + ")";
  for (const auto& table : tables)
    out += " AND EXISTS (SELECT FROM " + ours + " AND (p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel r "
           "WHERE r.prpubid = p.oid AND r.prrelid = pg_catalog.to_regclass(" + sql_literal(table) + "))))";
  return out;
}

class Planner {
 public:
  explicit Planner(const Request& request) : request_(request), parts_(wanted_parts(request)) {}

  Result<std::vector<Migration>> plan() {
    RELAY_TRY(check());
    for (const auto part : kOrder)
      if (parts_.contains(part)) add_part(part);
    return std::move(made_);
  }

 private:
  Result<void> check() const {
    for (const auto& part : parts_)
      if (std::find(kOrder.begin(), kOrder.end(), part) == kOrder.end())
        return invalid("there is no part " + part, "the parts are " + std::string(kParts));
    if (parts_.contains("columns") && request_.existing_outbox.empty())
      return invalid("part columns: which outbox table gets them is not said", "--outbox public.outbox");
    if (parts_.contains("roles") && request_.relay_role.empty() && request_.app_role.empty())
      return invalid("part roles: no role is named", "--relay-role NAME, --app-role NAME, or both");
    return {};
  }

  void add_part(std::string_view part) {
    if (part == "store")
      add("store", "store_tables", {}, "the progress and the dead letters that pipelines keep in the database", tables_are_there({"progress", "dead_letter"}));
    else if (part == "reader")
      add("reader", "reader", {}, "how far pipelines that poll have delivered, without which they refuse to go on", tables_are_there({"reader"}));
    else if (part == "outbox")
      add("outbox", "outbox", {}, "the table outbox_relay.outbox with the events that are not delivered yet", tables_are_there({"outbox"}));
    else if (part == "messages")
      add("messages", "messages", {}, "", "EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.proname = 'emit_message' AND "
          "p.pronamespace = pg_catalog.to_regnamespace('outbox_relay'))");
    else if (part == "columns")
      add_columns();
    else if (part == "capture")
      add_captures();
    else if (part == "publication")
      add("publication", "publication", {{"publication", request_.publication}, {"tables", joined(published())}}, "",
          publication_is_there(request_.publication, published()));
    else
      add("roles", "roles",
          {{"relay_role", request_.relay_role}, {"app_role", request_.app_role}, {"tables", joined(published())}}, "", "");
  }

  void add_columns() {
    const Variables table{{"table", request_.existing_outbox}};
    const auto name = slug(request_.existing_outbox);
    const auto relation = "pg_catalog.to_regclass(" + sql_literal(request_.existing_outbox) + ")";
    add("columns_" + name, "outbox_columns", table,
        "the numbers of its rows, by which a pipeline that polls knows what it has delivered",
        "EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = " + relation +
            " AND a.attname = 'relay_id' AND (a.atthasdef OR a.attidentity <> '') AND NOT a.attisdropped)");
    add("index_" + name, "outbox_index", table, "",
        "EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND "
        "a.attnum = i.indkey[0] WHERE i.indrelid = " + relation + " AND a.attname = 'relay_id' AND i.indisvalid)");
  }

  void add_captures() {
    add("capture", "capture", {}, "", tables_are_there({"captured"}));
    for (const auto& capture : request_.captures)
      add("capture_" + slug(capture.table), "capture_table", {{"table", capture.table}, {"options", capture.options}}, "",
          "EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = pg_catalog.to_regclass(" + sql_literal(capture.table) +
              ") AND t.tgname LIKE 'outbox\\_relay\\_%')");
  }

  // The tables that the relay reads: those named, or the outbox.
  std::vector<std::string> published() const {
    if (!request_.published.empty()) return request_.published;
    if (!request_.existing_outbox.empty()) return {request_.existing_outbox};
    if (parts_.contains("outbox")) return {"outbox_relay.outbox"};
    return {};
  }

  void add(const std::string& name, const std::string& file, const Variables& variables, std::string loses,
           std::string there) {
    Migration migration;
    migration.name = "outbox_relay_" + name;
    for (int n = 2; std::any_of(made_.begin(), made_.end(), [&](const auto& m) { return m.name == migration.name; });
         ++n)
      migration.name = "outbox_relay_" + name + "_" + std::to_string(n);
    migration.up = with_variables(sql::file(file + ".sql"), variables);
    migration.down = with_variables(sql::file(file + ".down.sql"), variables);
    migration.loses = std::move(loses);
    migration.there = std::move(there);
    migration.own_schema = variables.empty();
    made_.push_back(std::move(migration));
  }

  const Request& request_;
  std::set<std::string, std::less<>> parts_;
  std::vector<Migration> made_;
};

}  // namespace

Result<std::vector<Migration>> plan(const Request& request) { return Planner(request).plan(); }

Result<Capture> parse_capture(std::string_view text, std::string_view into) {
  // A brace inside a quoted name is not where the options begin.
  std::size_t brace = 0;
  for (bool quoted = false; brace < text.size() && (quoted || text[brace] != '{'); ++brace)
    if (text[brace] == '"') quoted = !quoted;
  Capture out{std::string(text.substr(0, brace)), "{}"};
  while (!out.table.empty() && out.table.back() == ' ') out.table.pop_back();
  const std::string example = "--capture 'public.orders {\"aggregate_type\": \"order\"}'";
  if (out.table.find('.') == std::string::npos)
    return invalid("capturing " + out.table + ": the table's schema is missing", "write schema.table: " + example);
  auto options = nlohmann::ordered_json::object();
  if (brace < text.size()) options = nlohmann::ordered_json::parse(text.substr(brace), nullptr, false);
  if (!options.is_object()) return invalid("capturing " + out.table + ": its options are no JSON object", example);
  if (!into.empty() && !options.contains("into")) options["into"] = into;
  if (options.contains("into") && options["into"] != "outbox" && options["into"] != "messages")
    return invalid("capturing " + out.table + ": \"into\" is neither outbox nor messages",
                   "--into outbox or --into messages");
  out.options = options.dump();
  return out;
}

}  // namespace relay::migrate
