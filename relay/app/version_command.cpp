#include <ostream>

#include "relay/app/commands.h"
#include "relay/config/suggest.h"

namespace relay::app {

ExitCode version_command(const Session& session) {
  std::vector<std::string> sources, sinks;
  for (const auto& component : session.catalog) {
    for (const auto& source : component.sources) sources.push_back(source.name);
    for (const auto& sink : component.sinks) sinks.push_back(sink.name);
  }
  session.out << "outbox-relay " RELAY_VERSION "\nsources: " << config::listed(sources, "and")
              << "\nsinks: " << config::listed(sinks, "and") << "\n";
  return ExitCode::ok;
}

}  // namespace relay::app
