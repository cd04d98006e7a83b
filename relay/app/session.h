// What a command works with: its command line, the connectors, and the streams it talks through.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "connectors/component.h"
#include "relay/app/configuration.h"
#include "relay/app/invocation.h"
#include "relay/observe/log_output.h"

namespace relay::app {

struct Session {
  const Invocation& invocation;
  const std::vector<connectors::Component>& catalog;
  config::Environment environment;
  std::istream& in;
  std::ostream& out;  // answers
  std::ostream& err;  // problems
  std::shared_ptr<observe::ConsoleLog> console;
  bool interactive = false;  // somebody sits there and can type
  bool colour = false;       // `out` is a terminal that shows colours

  Logger log() const { return Logger(console); }
};

// The configuration with the pipelines that --pipeline names. Otherwise the problems are printed, and the code says how
// to exit.
tl::expected<Configuration, ExitCode> configure(const Session& session);

// The same for commands that change one pipeline's state: it must be named unless there is only one.
tl::expected<Configuration, ExitCode> configure_one(const Session& session);

// " -c FILE" for each, as part of a command line to show.
std::string config_options(const Session& session);

// Prints the error with its hint, and says how to exit.
ExitCode report(const Session& session, const Error& error);

// Asks for the pipeline's name, on the terminal or through --confirm; the consequence has been printed before.
// `command` is what to type to go on ("progress adopt"). False after saying why not.
bool confirmed(const Session& session, const std::string& pipeline, const std::string& command);

// The same for what is no pipeline: `name` must be typed or given; `again` is the command line that goes on.
bool confirmed_name(const Session& session, const std::string& name, const std::string& what, const std::string& again);

}  // namespace relay::app
