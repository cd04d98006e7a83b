#include "relay/pipeline/pipeline.h"

#include <poll.h>

#include <thread>

#include "relay/base/waker.h"
#include "relay/pipeline/pipeline_loop.h"

namespace relay {

std::string_view to_string(PipelinePhase phase) {
  switch (phase) {
    case PipelinePhase::starting: return "starting";
    case PipelinePhase::standby: return "standby";
    case PipelinePhase::snapshot: return "snapshot";
    case PipelinePhase::streaming: return "streaming";
    case PipelinePhase::backing_off: return "backing_off";
    case PipelinePhase::stopped: return "stopped";
    case PipelinePhase::failed: return "failed";
  }
  return "unknown";
}

// The thread runner around the state machine; the simulation is another one.
class Pipeline::Impl {
 public:
  Impl(PipelineOptions options, PipelineParts parts, Clock& clock, Logger log)
      : source_(std::move(parts.source)),
        sink_(options, std::move(parts.sink), std::move(parts.progress_store), std::move(parts.dead_letter_store), log,
              [this] { wake(); }),
        loop_(std::move(options), *source_, sink_, std::move(parts.transforms), clock, std::move(log)) {}

  PipelineExit run(std::stop_token stop) {
    std::stop_callback on_stop(stop, [this] {
      source_->give_up();
      wake();
    });
    std::jthread sink_thread([this](std::stop_token done) {
      while (!done.stop_requested()) sink_.step(kWait);
      sink_.close();
    });
    while (!loop_.ended()) {
      if (stop.stop_requested()) loop_.request_stop();
      sleep(loop_.step(kWait));
    }
    sink_thread.request_stop();
    sink_thread.join();
    return *loop_.ended();
  }

  PipelineStatus status() const { return loop_.status(); }

 private:
  static constexpr Millis kWait{100};

  void wake() noexcept {
    waker_.wake();
    source_->wake();
  }
  void sleep(Millis delay) {
    if (delay <= Millis{0}) return;
    pollfd fd{waker_.fd(), POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(delay.count())) > 0) waker_.clear();
  }

  Waker waker_;
  std::unique_ptr<Source> source_;
  SinkWorker sink_;
  PipelineLoop loop_;
};

Pipeline::Pipeline(PipelineOptions options, PipelineParts parts, Clock& clock, Logger log)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(parts), clock, std::move(log))) {}
Pipeline::~Pipeline() = default;

PipelineExit Pipeline::run(std::stop_token stop) { return impl_->run(std::move(stop)); }
PipelineStatus Pipeline::status() const { return impl_->status(); }

}  // namespace relay
