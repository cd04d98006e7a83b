#include <cmath>

#include "relay/app/build.h"
#include "relay/app/commands.h"
#include "relay/app/drain_progress.h"
#include "relay/app/stopper.h"
#include "relay/app/supervisor.h"
#include "relay/config/units.h"

namespace relay::app {
namespace {

using namespace std::chrono_literals;

double rounded(double seconds) { return std::round(seconds * 1'000) / 1'000; }

// Waits for the end and shows how far it is: one line that is rewritten on a terminal, a log line now and then
// elsewhere.
class DrainWatch {
 public:
  DrainWatch(const Session& session, Supervisor& supervisor, Stopper& stopper)
      : session_(session),
        supervisor_(supervisor),
        stopper_(stopper),
        started_(system_clock().now()),
        logged_(started_) {}

  void wait() {
    while (!supervisor_.wait(kRefresh)) {
      const auto now = system_clock().now();
      meter_.observe(now, totals_of(supervisor_.reports()));
      session_.console->show_status(meter_.line());
      if (!session_.console->shows_status() && now - logged_ >= kLogInterval) log_progress(now);
      const auto& timeout = session_.invocation.timeout;
      if (timeout && now - started_ >= *timeout && !stopper_.token().stop_requested()) {
        tell_unfinished();
        stopper_.stop("--timeout " + config::format_duration(*timeout));
      }
    }
    session_.console->show_status("");
  }

  void summarize(ExitCode code) const {
    const auto reports = supervisor_.reports();
    const auto totals = totals_of(reports);
    std::uint64_t drained = 0;
    for (const auto& report : reports) drained += report.exit && report.exit->why == PipelineExit::Why::drained ? 1 : 0;
    const auto seconds = std::chrono::duration<double>(system_clock().now() - started_).count();
    const auto level = code == ExitCode::ok ? LogLevel::info : LogLevel::warn;
    session_.log().log(
        level, "drain_ended", code == ExitCode::ok ? "everything is delivered" : "not everything is delivered",
        {{"pipelines_drained", drained},
         {"pipelines", static_cast<std::uint64_t>(reports.size())},
         {"events", totals.events},
         {"rejected", totals.rejected},
         {"blocked", totals.blocked},
         {"seconds", rounded(seconds)},
         {"events_per_second", seconds > 0 ? std::round(static_cast<double>(totals.events) / seconds) : 0.0},
         {"exit_code", std::int64_t{to_int(code)}}});
  }

 private:
  static constexpr Millis kRefresh{250};
  static constexpr Millis kLogInterval{10'000};

  // Where each stood when its time was over: a server that did not answer yet has caused no other line.
  void tell_unfinished() const {
    for (const auto& [name, status, exit] : supervisor_.reports()) {
      if (exit) continue;
      const auto held = status.held_back.empty() ? std::string() : "; held back by " + status.held_back;
      const bool starting = status.phase == PipelinePhase::starting || status.phase == PipelinePhase::backing_off;
      session_.log().warn("drain_out_of_time", "the time is over and the pipeline is not drained" + held,
                          {{"pipeline", name},
                           {"phase", std::string(to_string(status.phase))},
                           {"last_error", status.last_error ? status.last_error->code : std::string("none")},
                           {"hint", std::string(starting ? "outbox-relay doctor -c FILE tells which side does not answer"
                                                         : "give it a longer --timeout; the next drain goes on from here")}});
    }
  }

  void log_progress(SteadyTime now) {
    logged_ = now;
    const auto totals = totals_of(supervisor_.reports());
    session_.log().info("draining", meter_.line(),
                        {{"events", totals.events},
                         {"events_per_second", std::round(meter_.events_per_second())},
                         {"remaining_wal_bytes", totals.remaining_wal.value_or(0)},
                         {"pipelines_ended", static_cast<std::uint64_t>(totals.ended)}});
  }

  const Session& session_;
  Supervisor& supervisor_;
  Stopper& stopper_;
  const SteadyTime started_;
  SteadyTime logged_;
  DrainMeter meter_;
};

}  // namespace

ExitCode drain_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  const auto log = session.log();
  Stopper stopper(log);
  std::vector<Job> jobs;
  for (const auto& pipeline : configuration->pipelines)
    jobs.push_back({pipeline.name, make_run(*configuration, pipeline, session.catalog, true, log)});
  Supervisor supervisor(std::move(jobs), log);
  DrainWatch watch(session, supervisor, stopper);
  supervisor.start(stopper.token());
  watch.wait();
  const auto code = exit_code_of(supervisor.exits(), true);
  watch.summarize(code);
  return code;
}

}  // namespace relay::app
