#include <ostream>

#include "relay/app/commands.h"

namespace relay::app {

ExitCode check_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  for (const auto& pipeline : configuration->pipelines)
    session.out << "pipeline " << pipeline.name << ": " << pipeline.source->name << " -> " << pipeline.sink->name
                << "\n";
  session.out << "no errors; what database and broker think of it: outbox-relay doctor\n";
  return ExitCode::ok;
}

}  // namespace relay::app
