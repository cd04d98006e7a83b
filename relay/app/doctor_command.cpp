#include <iterator>
#include <ostream>

#include "relay/app/build.h"
#include "relay/app/commands.h"
#include "relay/app/findings.h"

namespace relay::app {
namespace {

void append(Findings& to, Findings more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

ExitCode doctor_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  std::vector<PipelineFindings> all;
  Findings every;
  for (const auto& pipeline : configuration->pipelines) {
    const auto context = build_context(*configuration, pipeline, session.log().with({"pipeline", pipeline.name}));
    PipelineFindings found{pipeline.name, {}};
    if (pipeline.source->doctor) append(found.findings, pipeline.source->doctor(context));
    if (pipeline.sink->doctor) append(found.findings, pipeline.sink->doctor(context));
    append(every, found.findings);
    all.push_back(std::move(found));
  }
  session.out << (session.invocation.json ? findings_json(all) : findings_text(all, session.colour));
  return exit_code_of(every);
}

}  // namespace relay::app
