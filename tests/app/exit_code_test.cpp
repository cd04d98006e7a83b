#include "relay/app/exit_code.h"

#include <doctest/doctest.h>

using namespace relay;
using namespace relay::app;

namespace {

using Why = PipelineExit::Why;

PipelineExit ended(Why why) { return {why, std::nullopt}; }
PipelineExit failed(ErrorKind kind) { return {Why::failed, Error{kind, "x", "x", ""}}; }
PipelineExit unknown_outcome() { return {Why::stopped, Error{ErrorKind::transient, "outcome_unknown", "x", ""}}; }

ExitCode of(std::vector<PipelineExit> exits, bool draining = false) { return exit_code_of(exits, draining); }
Finding finding(Severity severity, std::string code) { return {severity, std::move(code), "", "", ""}; }

}  // namespace

TEST_CASE("a run that was stopped exits with 0, with 75 when the last batch's outcome is unknown") {
  CHECK(of({ended(Why::stopped), ended(Why::stopped)}) == ExitCode::ok);
  CHECK(of({ended(Why::stopped), unknown_outcome()}) == ExitCode::try_again);
}

TEST_CASE("a refusal that no restart mends is 78, anything that a restart helps is 75") {
  for (const auto kind : {ErrorKind::fatal, ErrorKind::corrupt, ErrorKind::rejected}) {
    CHECK(of({failed(kind)}) == ExitCode::configuration);
    CHECK(exit_code_of(Error{kind, "", "", ""}) == ExitCode::configuration);
  }
  for (const auto kind : {ErrorKind::transient, ErrorKind::fenced, ErrorKind::busy, ErrorKind::cancelled}) {
    CHECK(of({failed(kind)}) == ExitCode::try_again);
    CHECK(exit_code_of(Error{kind, "", "", ""}) == ExitCode::try_again);
  }
}

TEST_CASE("a restart that helps one pipeline counts more than a refusal of another") {
  CHECK(of({failed(ErrorKind::fatal), failed(ErrorKind::transient)}) == ExitCode::try_again);
  CHECK(of({failed(ErrorKind::fatal), ended(Why::stopped)}) == ExitCode::configuration);
}

TEST_CASE("a drain exits with 0 only when every pipeline is drained") {
  CHECK(of({ended(Why::drained), ended(Why::drained)}, true) == ExitCode::ok);
  CHECK(of({ended(Why::drained), ended(Why::stopped)}, true) == ExitCode::try_again);
  CHECK(of({ended(Why::drained), failed(ErrorKind::fatal)}, true) == ExitCode::configuration);
}

TEST_CASE("doctor exits with 78 for red findings, with 75 when nobody could be reached, otherwise with 0") {
  CHECK(exit_code_of(Findings{finding(Severity::ok, "a"), finding(Severity::warning, "b")}) == ExitCode::ok);
  CHECK(exit_code_of(Findings{finding(Severity::error, "publication_missing")}) == ExitCode::configuration);
  CHECK(exit_code_of(Findings{finding(Severity::error, "database_unreachable"),
                              finding(Severity::error, "broker_unreachable")}) == ExitCode::try_again);
  CHECK(exit_code_of(Findings{finding(Severity::error, "database_unreachable"),
                              finding(Severity::error, "auth_failed")}) == ExitCode::configuration);
}

TEST_CASE("the numbers are those of sysexits") {
  CHECK(to_int(ExitCode::usage) == 64);
  CHECK(to_int(ExitCode::bug) == 70);
  CHECK(to_int(ExitCode::try_again) == 75);
  CHECK(to_int(ExitCode::configuration) == 78);
}
