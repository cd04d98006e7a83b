#include <ostream>

#include "relay/app/commands.h"
#include "relay/app/root_spec.h"

namespace relay::app {

ExitCode config_schema_command(const Session& session) {
  session.out << config::json_schema(root_spec(session.catalog));
  return ExitCode::ok;
}

ExitCode config_example_command(const Session& session) {
  session.out << config::example_config(root_spec(session.catalog));
  return ExitCode::ok;
}

ExitCode config_reference_command(const Session& session) {
  session.out << config::reference_page(root_spec(session.catalog));
  return ExitCode::ok;
}

ExitCode config_show_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  session.out << config::effective_config(*configuration->root, session.invocation.origins);
  return ExitCode::ok;
}

}  // namespace relay::app
