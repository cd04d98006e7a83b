#include "relay/app/exit_code.h"

#include <algorithm>
#include <array>

namespace relay::app {
namespace {

// Codes of findings that only say that a server did not answer.
constexpr std::array<std::string_view, 7> kUnreachable{
    "database_unreachable", "database_starting",    "database_shutting_down", "connection_lost",
    "broker_unreachable",   "too_many_connections", "sink_unreachable"};

bool is_unreachable(const Finding& finding) {
  return std::find(kUnreachable.begin(), kUnreachable.end(), finding.code) != kUnreachable.end();
}

ExitCode exit_code_of_one(const PipelineExit& exit, bool draining) {
  if (exit.why == PipelineExit::Why::drained) return ExitCode::ok;
  if (exit.error) return exit_code_of(*exit.error);
  return exit.why == PipelineExit::Why::failed || draining ? ExitCode::try_again : ExitCode::ok;
}

}  // namespace

ExitCode exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::fatal:
    case ErrorKind::rejected:
    case ErrorKind::corrupt:
      return ExitCode::configuration;
    case ErrorKind::transient:
    case ErrorKind::fenced:
    case ErrorKind::busy:
    case ErrorKind::cancelled:
      return ExitCode::try_again;
  }
  return ExitCode::try_again;
}

ExitCode exit_code_of(std::span<const PipelineExit> exits, bool draining) {
  ExitCode worst = ExitCode::ok;
  for (const auto& exit : exits) {
    const auto code = exit_code_of_one(exit, draining);
    if (code == ExitCode::try_again) return code;
    if (code != ExitCode::ok) worst = code;
  }
  return worst;
}

ExitCode exit_code_of(const Findings& findings) {
  bool red = false;
  for (const auto& finding : findings) {
    if (finding.severity != Severity::error) continue;
    if (!is_unreachable(finding)) return ExitCode::configuration;
    red = true;
  }
  return red ? ExitCode::try_again : ExitCode::ok;
}

}  // namespace relay::app
