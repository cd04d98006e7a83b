#include "relay/app/supervisor.h"

#include <doctest/doctest.h>

#include <atomic>

using namespace relay;
using namespace relay::app;

namespace {

class Scripted final : public PipelineRun {
 public:
  Scripted(PipelineExit exit, bool until_stopped) : exit_(std::move(exit)), until_stopped_(until_stopped) {}
  PipelineExit run(const std::stop_token& stop) override {
    while (until_stopped_ && !stop.stop_requested()) std::this_thread::sleep_for(Millis{1});
    return exit_;
  }
  PipelineStatus status() const override {
    PipelineStatus status;
    status.events = 7;
    return status;
  }

 private:
  PipelineExit exit_;
  bool until_stopped_;
};

Job job(std::string name, PipelineExit exit, bool until_stopped) {
  return {std::move(name), std::make_unique<Scripted>(std::move(exit), until_stopped)};
}

}  // namespace

TEST_CASE("a pipeline that fails leaves the others running until they are stopped") {
  std::stop_source stop;
  std::vector<Job> jobs;
  jobs.push_back(job("bad", {PipelineExit::Why::failed, Error{ErrorKind::fatal, "x", "x", ""}}, false));
  jobs.push_back(job("good", {}, true));
  Supervisor supervisor(std::move(jobs), {});
  supervisor.start(stop.get_token());
  while (supervisor.exits().empty()) std::this_thread::yield();
  CHECK_FALSE(supervisor.wait(Millis{50}));
  const auto reports = supervisor.reports();
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].exit->why == PipelineExit::Why::failed);
  CHECK_FALSE(reports[1].exit);
  CHECK(reports[1].status.events == 7);
  stop.request_stop();
  CHECK(supervisor.wait(Millis{10'000}));
  CHECK(supervisor.exits().size() == 2);
}

TEST_CASE("waiting ends when every pipeline has ended by itself") {
  std::vector<Job> jobs;
  jobs.push_back(job("a", {PipelineExit::Why::drained, std::nullopt}, false));
  jobs.push_back(job("b", {PipelineExit::Why::drained, std::nullopt}, false));
  Supervisor supervisor(std::move(jobs), {});
  supervisor.start({});
  CHECK(supervisor.wait(Millis{10'000}));
}
