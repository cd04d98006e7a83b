#include "relay/app/build.h"
#include "relay/app/commands.h"
#include "relay/app/stopper.h"
#include "relay/app/supervisor.h"

namespace relay::app {

ExitCode run_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  const auto log = session.log();
  Stopper stopper(log);
  std::vector<Job> jobs;
  for (const auto& pipeline : configuration->pipelines)
    jobs.push_back({pipeline.name, make_run(*configuration, pipeline, session.catalog, false, log)});
  log.info("program_started", "outbox-relay " RELAY_VERSION " starts",
           {{"pipelines", static_cast<std::uint64_t>(jobs.size())}});
  Supervisor supervisor(std::move(jobs), log);
  supervisor.start(stopper.token());
  constexpr Millis kLong{3'600'000};
  while (!supervisor.wait(kLong)) {
  }
  const auto code = exit_code_of(supervisor.exits(), false);
  log.info("program_ended", "every pipeline has ended", {{"exit_code", std::int64_t{to_int(code)}}});
  return code;
}

}  // namespace relay::app
