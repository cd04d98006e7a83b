#include "relay/app/supervisor.h"

#include <pthread.h>

namespace relay::app {
namespace {

std::string why_it_ended(const PipelineExit& exit) {
  switch (exit.why) {
    case PipelineExit::Why::stopped:
      return exit.error ? "stopped; the outcome of the last batch is unknown" : "stopped";
    case PipelineExit::Why::drained:
      return "drained";
    case PipelineExit::Why::failed:
      return "failed; it stays stopped until the process is started again";
  }
  return "ended";
}

}  // namespace

Supervisor::Supervisor(std::vector<Job> jobs, Logger log) : log_(std::move(log)) {
  for (auto& job : jobs) {
    auto entry = std::make_unique<Entry>();
    entry->job = std::move(job);
    entries_.push_back(std::move(entry));
  }
}

Supervisor::~Supervisor() {
  for (auto& entry : entries_)
    if (entry->thread.joinable()) entry->thread.join();
}

void Supervisor::start(const std::stop_token& stop) {
  running_ = entries_.size();
  for (auto& entry : entries_) entry->thread = std::jthread([this, &entry, stop] { run(*entry, stop); });
}

void Supervisor::run(Entry& entry, const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), entry.job.name.substr(0, 15).c_str());  // 15: what the kernel keeps
  auto exit = entry.job.run->run(stop);
  const auto level = exit.why == PipelineExit::Why::failed || exit.error ? LogLevel::warn : LogLevel::info;
  const std::lock_guard lock(mutex_);
  --running_;
  log_.log(level, "pipeline_ended", why_it_ended(exit),
           {{"pipeline", entry.job.name}, {"still_running", static_cast<std::uint64_t>(running_)}});
  entry.exit = std::move(exit);
  ended_.notify_all();
}

bool Supervisor::wait(Millis time) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, time, [this] { return running_ == 0; });
}

std::vector<PipelineReport> Supervisor::reports() const {
  std::vector<PipelineReport> out;
  for (const auto& entry : entries_) {
    PipelineReport report{entry->job.name, entry->job.run->status(), std::nullopt};
    const std::lock_guard lock(mutex_);
    report.exit = entry->exit;
    out.push_back(std::move(report));
  }
  return out;
}

std::vector<PipelineExit> Supervisor::exits() const {
  std::vector<PipelineExit> out;
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_)
    if (entry->exit) out.push_back(*entry->exit);
  return out;
}

}  // namespace relay::app
