#include "relay/app/session.h"

#include <istream>
#include <ostream>

#include "relay/config/suggest.h"

namespace relay::app {
namespace {

// A service that starts under a log collector reports its configuration there, not as lines of another form.
void log_diagnostics(const Session& session, const config::Diagnostics& diagnostics) {
  for (const auto& d : diagnostics)
    session.log().log(d.warning ? LogLevel::warn : LogLevel::error, "config_invalid", d.message,
                      {{"file", d.mark.file},
                       {"line", std::int64_t{d.mark.line}},
                       {"column", std::int64_t{d.mark.column}},
                       {"field", d.field},
                       {"hint", d.hint}});
}

void print_diagnostics(const Session& session, const config::Diagnostics& diagnostics) {
  const auto command = session.invocation.command;
  const bool serves = command == Command::run || command == Command::drain;
  if (serves && session.console->writes_json())
    log_diagnostics(session, diagnostics);
  else
    session.err << report(diagnostics);
}

}  // namespace

std::string config_options(const Session& session) {
  std::string out;
  for (const auto& file : session.invocation.config_files) out += " -c " + file;
  return out;
}

tl::expected<Configuration, ExitCode> configure(const Session& session) {
  auto configuration = load_configuration(session.invocation.config_files, session.environment, session.catalog);
  print_diagnostics(session, configuration.diagnostics);
  if (configuration.has_errors()) return tl::unexpected(ExitCode::configuration);
  if (const auto selected = select_pipelines(configuration, session.invocation.pipelines); !selected) {
    session.err << "outbox-relay: " << selected.error() << "\n";
    return tl::unexpected(ExitCode::usage);
  }
  return configuration;
}

tl::expected<Configuration, ExitCode> configure_one(const Session& session) {
  auto configuration = configure(session);
  if (!configuration || configuration->pipelines.size() == 1) return configuration;
  std::vector<std::string> names;
  for (const auto& pipeline : configuration->pipelines) names.push_back(pipeline.name);
  session.err << "outbox-relay: this command changes one pipeline at a time\n  hint: add --pipeline "
              << config::listed(names) << "\n";
  return tl::unexpected(ExitCode::usage);
}

ExitCode report(const Session& session, const Error& error) {
  session.err << "outbox-relay: " << error.text() << "\n";
  return exit_code_of(error);
}

bool confirmed(const Session& session, const std::string& pipeline, const std::string& command) {
  return confirmed_name(session, pipeline, "pipeline", command + config_options(session) + " --pipeline " + pipeline);
}

bool confirmed_name(const Session& session, const std::string& name, const std::string& what,
                    const std::string& again) {
  if (session.invocation.confirm) {
    if (*session.invocation.confirm == name) return true;
    session.err << "outbox-relay: --confirm names another " << what << " than " << name << "; nothing was changed\n";
    return false;
  }
  if (!session.interactive) {
    session.err << "outbox-relay: not confirmed, nothing was changed\n  hint: to go on: outbox-relay " << again
                << " --confirm " << name << "\n";
    return false;
  }
  session.out << "Type the " << what << "'s name to go on: " << std::flush;
  std::string typed;
  std::getline(session.in, typed);
  if (typed == name) return true;
  session.err << "outbox-relay: that is not " << name << "; nothing was changed\n";
  return false;
}

}  // namespace relay::app
