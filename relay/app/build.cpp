#include "relay/app/build.h"

#include <condition_variable>
#include <mutex>

#include "relay/base/backoff.h"
#include "relay/pipeline/error_policy.h"
#include "relay/policy/keys.h"
#include "relay/policy/policy.h"
#include "relay/policy/policy_transform.h"

namespace relay::app {
namespace {

// Storing progress in the database is itself WAL that the slot has to pass: an idle database pays for it once a minute.
constexpr Millis kIdleProgressInDatabase{60'000};

using connectors::BuildContext;
using connectors::Component;

OnReject on_reject(const config::Value& pipeline) {
  const auto& dead_letter = pipeline["on_reject"]["dead_letter"];
  if (!dead_letter) return OnReject::halt;
  return dead_letter["topic"] ? OnReject::dead_letter_topic : OnReject::dead_letter_table;
}

// The one component that brings a store; `pick` is the member that makes it.
template <typename Made>
Result<Made> build_store(const std::vector<Component>& catalog,
                         std::function<Result<Made>(const BuildContext&)> Component::*pick, const BuildContext& context,
                         const std::string& what) {
  for (const auto& component : catalog)
    if (component.*pick) return (component.*pick)(context);
  return fail(ErrorKind::fatal, "store_unavailable",
              "building pipeline " + context.pipeline + ": this program was built without " + what,
              "use a program that was built with the connector postgres");
}

class BuiltPipeline final : public PipelineRun {
 public:
  BuiltPipeline(const Configuration& configuration, PipelineConfig pipeline, const std::vector<Component>& catalog,
                bool drain, const Logger& log)
      : configuration_(configuration),
        config_(std::move(pipeline)),
        catalog_(catalog),
        drain_(drain),
        log_(log.with({"pipeline", config_.name})) {}

  PipelineExit run(const std::stop_token& stop) override {
    Backoff backoff(Millis{250}, Millis{30'000});
    while (!stop.stop_requested()) {
      auto parts = build_parts(configuration_, config_, catalog_, log_);
      if (parts) return run_with(std::move(*parts), stop);
      note(parts.error());
      if (reaction_to(parts.error().kind) == Reaction::stop) {
        log_.failure(LogLevel::error, parts.error());
        return {PipelineExit::Why::failed, std::move(parts).error()};
      }
      log_.failure(LogLevel::warn, parts.error());
      pause(backoff.next(), stop);
    }
    return {};
  }

  PipelineStatus status() const override {
    const std::lock_guard lock(mutex_);
    return pipeline_ ? pipeline_->status() : before_;
  }

 private:
  PipelineExit run_with(PipelineParts parts, const std::stop_token& stop) {
    auto options = pipeline_options(config_, drain_);
    if (parts.progress_store) options.idle_progress_interval = kIdleProgressInDatabase;
    auto pipeline = std::make_unique<Pipeline>(std::move(options), std::move(parts), system_clock(), log_);
    Pipeline& running = *pipeline;
    {
      const std::lock_guard lock(mutex_);
      pipeline_ = std::move(pipeline);
    }
    return running.run(stop);
  }

  void note(const Error& error) {
    const std::lock_guard lock(mutex_);
    const bool stops = reaction_to(error.kind) == Reaction::stop;
    before_.phase = stops ? PipelinePhase::failed : PipelinePhase::backing_off;
    before_.last_error = error;
  }

  static void pause(Millis delay, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, delay, [] { return false; });
  }

  const Configuration& configuration_;
  const PipelineConfig config_;
  const std::vector<Component>& catalog_;
  const bool drain_;
  Logger log_;
  mutable std::mutex mutex_;
  std::unique_ptr<Pipeline> pipeline_;  // guarded by mutex_; once set, it stays
  PipelineStatus before_;               // guarded by mutex_; until it is set
};

}  // namespace

PipelineOptions pipeline_options(const PipelineConfig& pipeline, bool drain) {
  const auto& value = *pipeline.value;
  PipelineOptions options;
  options.name = pipeline.name;
  options.drain = drain;
  options.on_reject = on_reject(value);
  options.stall_release = value["stall_release"].as_duration();
  options.batch.events_target = static_cast<std::size_t>(value["batch"]["events"].as_int());
  options.batch.bytes_target = value["batch"]["bytes"].as_size();
  options.batch.events_max = 2 * options.batch.events_target;
  options.batch.bytes_max = 2 * options.batch.bytes_target;
  return options;
}

BuildContext build_context(const Configuration& configuration, const PipelineConfig& pipeline, const Logger& log) {
  return {pipeline.name, *pipeline.value, configuration.database(), log, system_clock(),
          !pipeline.sink->stores_progress};
}

namespace {

// The keys are read here, so that a pipeline without them does not even ask its source.
Result<std::unique_ptr<Transform>> build_policy(const Configuration& configuration, const PipelineConfig& pipeline,
                                                const Logger& log) {
  RELAY_ASSIGN(const auto keys, policy::load_keys(pipeline.policy->keys, configuration.environment));
  policy::TransformOptions options;
  options.keep_originals = on_reject(*pipeline.value) == OnReject::dead_letter_table;
  return std::make_unique<policy::PolicyTransform>(policy::compile(*pipeline.policy, keys), options, log);
}

}  // namespace

Result<PipelineParts> build_parts(const Configuration& configuration, const PipelineConfig& pipeline,
                                  const std::vector<Component>& catalog, const Logger& log) {
  const auto context = build_context(configuration, pipeline, log);
  PipelineParts parts;
  if (pipeline.policy) {
    RELAY_ASSIGN(auto transform, build_policy(configuration, pipeline, log));
    parts.transforms.push_back(std::move(transform));
  }
  RELAY_ASSIGN(parts.source, pipeline.source->build(context));
  RELAY_ASSIGN(parts.sink, pipeline.sink->build(context));
  if (!parts.sink->stores_progress()) {
    RELAY_ASSIGN(parts.progress_store,
                 build_store(catalog, &Component::progress_store, context, "a store for progress"));
  }
  if (on_reject(*pipeline.value) == OnReject::dead_letter_table) {
    RELAY_ASSIGN(parts.dead_letter_store,
                 build_store(catalog, &Component::dead_letter_store, context, "a store for dead letters"));
  }
  return parts;
}

std::unique_ptr<PipelineRun> make_run(const Configuration& configuration, const PipelineConfig& pipeline,
                                      const std::vector<Component>& catalog, bool drain, const Logger& log) {
  return std::make_unique<BuiltPipeline>(configuration, pipeline, catalog, drain, log);
}

}  // namespace relay::app
