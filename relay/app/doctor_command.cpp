#include <iterator>
#include <ostream>

#include "relay/app/build.h"
#include "relay/app/commands.h"
#include "relay/app/findings.h"
#include "relay/policy/keys.h"

namespace relay::app {
namespace {

void append(Findings& to, Findings more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// The keys are part of what `run` needs; what the policy itself says was checked with the configuration.
Finding policy_finding(const Configuration& configuration, const PipelineConfig& pipeline) {
  const auto& text = *pipeline.policy;
  const auto subject = "policy " + text.file;
  if (const auto keys = policy::load_keys(text.keys, configuration.environment); !keys)
    return {Severity::error, keys.error().code, subject, keys.error().message, keys.error().hint};
  const auto count = std::to_string(text.keys.size());
  return {Severity::ok, "policy_keys", subject,
          text.keys.empty() ? "needs no keys" : "its keys can be read (" + count + ")", ""};
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
    if (pipeline.policy) found.findings.push_back(policy_finding(*configuration, pipeline));
    if (pipeline.source->doctor) append(found.findings, pipeline.source->doctor(context));
    if (pipeline.sink->doctor) append(found.findings, pipeline.sink->doctor(context));
    append(every, found.findings);
    all.push_back(std::move(found));
  }
  session.out << (session.invocation.json ? findings_json(all) : findings_text(all, session.colour));
  return exit_code_of(every);
}

}  // namespace relay::app
