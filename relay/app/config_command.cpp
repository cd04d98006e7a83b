#include <ostream>

#include "relay/app/commands.h"
#include "relay/app/root_spec.h"
#include "relay/policy/policy_file.h"

namespace relay::app {
namespace {

config::FieldSpec spec_of(const Session& session) {
  return session.invocation.of_policy ? policy::policy_spec() : root_spec(session.catalog);
}

}  // namespace

ExitCode config_schema_command(const Session& session) {
  session.out << config::json_schema(spec_of(session));
  return ExitCode::ok;
}

ExitCode config_example_command(const Session& session) {
  session.out << config::example_config(root_spec(session.catalog));
  return ExitCode::ok;
}

ExitCode config_reference_command(const Session& session) {
  session.out << config::reference_page(spec_of(session));
  return ExitCode::ok;
}

ExitCode config_show_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  session.out << config::effective_config(*configuration->root, session.invocation.origins);
  return ExitCode::ok;
}

}  // namespace relay::app
