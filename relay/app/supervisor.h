// Runs pipelines side by side, one thread each. One that ends, whatever the reason, leaves the others alone.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/pipeline/pipeline.h"

namespace relay::app {

// A pipeline as the supervisor sees it. run() is called once, on the pipeline's thread; status() from any thread.
class PipelineRun {
 public:
  virtual ~PipelineRun() = default;
  virtual PipelineExit run(const std::stop_token& stop) = 0;
  virtual PipelineStatus status() const = 0;
};

struct Job {
  std::string name;
  std::unique_ptr<PipelineRun> run;
};

struct PipelineReport {
  std::string name;
  PipelineStatus status;
  std::optional<PipelineExit> exit;  // once it has ended
};

class Supervisor {
 public:
  Supervisor(std::vector<Job> jobs, Logger log);
  ~Supervisor();  // waits for every pipeline; request the stop first
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  void start(const std::stop_token& stop);
  bool wait(Millis time);  // true as soon as every pipeline has ended
  std::vector<PipelineReport> reports() const;
  std::vector<PipelineExit> exits() const;  // of those that have ended

 private:
  struct Entry {
    Job job;
    std::optional<PipelineExit> exit;  // guarded by mutex_
    std::jthread thread;
  };
  void run(Entry& entry, const std::stop_token& stop);

  Logger log_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;                      // guarded by mutex_
  std::vector<std::unique_ptr<Entry>> entries_;  // fixed after the constructor; last: its threads use the rest
};

}  // namespace relay::app
