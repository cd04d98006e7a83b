// migrate apply, status, down: the database of the configuration is asked or changed. migrate print:
// migrate_print_command.
#include <algorithm>
#include <ostream>

#include "relay/app/admin.h"
#include "relay/app/commands.h"
#include "relay/app/migrate_status.h"

namespace relay::app {
namespace {

// How long another migration, or a table that the application keeps locked, is waited for.
constexpr Millis kPatience{30'000};

using Work = std::function<Result<ExitCode>(migrate::Database&)>;

ExitCode with_database(const Session& session, const Work& work) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  for (const auto& component : session.catalog) {
    if (!component.migration_database) continue;
    const auto database = component.migration_database(configuration->database());
    if (!database) return report(session, database.error());
    const auto code = work(**database);
    return code ? *code : report(session, code.error());
  }
  session.err << "outbox-relay: this program has no connector with migrations\n";
  return ExitCode::configuration;
}

migrate::Tell teller(const Session& session) {
  return [&session](const std::string& line) { session.out << line << "\n" << std::flush; };
}

// Every part that makes things in schema outbox_relay, to be compared with what is there.
Result<std::vector<migrate::Migration>> own_parts() {
  migrate::Request every;
  every.parts = {"store", "outbox", "messages", "capture"};
  return migrate::plan(every);
}

bool asked_for_parts(const migrate::Request& request) {
  return !request.parts.empty() || !request.captures.empty() || !request.existing_outbox.empty() ||
         !request.published.empty() || !request.relay_role.empty() || !request.app_role.empty();
}

bool is_noted(const std::vector<migrate::Applied>& noted, const std::string& name) {
  return std::any_of(noted.begin(), noted.end(), [&](const auto& a) { return a.name == name; });
}

// What is asked for and neither noted nor there.
Result<std::vector<std::string>> missing(const migrate::Request& request, const MigrateStatus& found) {
  std::vector<std::string> out;
  if (!asked_for_parts(request)) return out;
  RELAY_ASSIGN(const auto wanted, migrate::plan(request));
  const auto& there = found.there;
  for (const auto& m : wanted)
    if (!is_noted(found.applied, m.name) && std::find(there.begin(), there.end(), m.name) == there.end())
      out.push_back(m.name);
  return out;
}

Result<ExitCode> status(const Session& session, migrate::Database& database) {
  MigrateStatus found;
  found.target = database.target();
  RELAY_ASSIGN(found.applied, migrate::applied(database));
  RELAY_ASSIGN(found.there, migrate::present(database));
  std::erase_if(found.there, [&](const auto& name) { return is_noted(found.applied, name); });
  RELAY_ASSIGN(const auto parts, own_parts());
  RELAY_ASSIGN(found.differences, migrate::drift(database, parts));
  RELAY_ASSIGN(const auto gone, migrate::gone(database, found.applied));
  for (const auto& name : gone)
    found.differences.push_back("what the migration " + name + " made is gone; migrate apply makes it again");
  RELAY_ASSIGN(found.missing, missing(session.invocation.migrate.request, found));
  session.out << (session.invocation.json ? migrate_status_json(found) : migrate_status_text(found));
  return found.as_it_should_be() ? ExitCode::ok : ExitCode::configuration;
}

// The migrations to be taken back, newest first; empty when the one named is not there.
std::vector<migrate::Applied> chosen(const Session& session, const std::vector<migrate::Applied>& applied) {
  const auto& options = session.invocation.migrate;
  const std::string through = options.all               ? applied.front().name
                              : options.through.empty() ? applied.back().name
                                                        : options.through;
  std::vector<migrate::Applied> out;
  for (auto at = applied.rbegin(); at != applied.rend(); ++at) {
    out.push_back(*at);
    if (at->name == through) return out;
  }
  return {};
}

Result<ExitCode> down(const Session& session, migrate::Database& database) {
  RELAY_ASSIGN(const auto applied, migrate::applied(database));
  if (applied.empty()) {
    session.out << "migrate apply has done nothing in " << database.target() << "; nothing to take back\n";
    return ExitCode::ok;
  }
  const auto back = chosen(session, applied);
  const auto& through = session.invocation.migrate.through;
  if (back.empty())
    return fail(ErrorKind::fatal, "migration_unknown", "taking back " + through + ": migrate apply has not applied it",
                "outbox-relay migrate status lists what it has");
  bool loses = false;
  for (const auto& m : back) {
    session.out << "takes back " << m.name << (m.loses.empty() ? "" : ", and with it " + m.loses) << "\n";
    loses = loses || !m.loses.empty();
  }
  const auto again = "migrate down" + config_options(session) + " --through " + back.back().name;
  if (loses && !confirmed_name(session, back.back().name, "migration", again)) return ExitCode::usage;
  RELAY_TRY(migrate::take_back(database, back.back().name, kPatience, system_clock(), teller(session)));
  return ExitCode::ok;
}

}  // namespace

ExitCode migrate_apply_command(const Session& session) {
  const auto migrations = migrate::plan(session.invocation.migrate.request);
  if (!migrations) return report(session, migrations.error());
  return with_database(session, [&](migrate::Database& database) -> Result<ExitCode> {
    RELAY_TRY(migrate::apply(database, *migrations, kPatience, system_clock(), teller(session)));
    return ExitCode::ok;
  });
}

ExitCode migrate_status_command(const Session& session) {
  return with_database(session, [&](migrate::Database& database) { return status(session, database); });
}

ExitCode migrate_down_command(const Session& session) {
  return with_database(session, [&](migrate::Database& database) { return down(session, database); });
}

}  // namespace relay::app
