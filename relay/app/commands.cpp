#include "relay/app/commands.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace relay::app {
namespace {

bool shows_colour(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && std::getenv("NO_COLOR") == nullptr && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

ExitCode execute(const Session& session) {
  switch (session.invocation.command) {
    case Command::run:
      return run_command(session);
    case Command::drain:
      return drain_command(session);
    case Command::check:
      return check_command(session);
    case Command::doctor:
      return doctor_command(session);
    case Command::slot_create:
      return slot_create_command(session);
    case Command::slot_drop:
      return slot_drop_command(session);
    case Command::progress_show:
      return progress_show_command(session);
    case Command::progress_adopt:
      return progress_adopt_command(session);
    case Command::progress_reset:
      return progress_reset_command(session);
    case Command::config_schema:
      return config_schema_command(session);
    case Command::config_example:
      return config_example_command(session);
    case Command::config_reference:
      return config_reference_command(session);
    case Command::config_show:
      return config_show_command(session);
    case Command::migrate_print:
      return migrate_print_command(session);
    case Command::migrate_apply:
      return migrate_apply_command(session);
    case Command::migrate_status:
      return migrate_status_command(session);
    case Command::migrate_down:
      return migrate_down_command(session);
    case Command::policy_preview:
      return policy_preview_command(session);
    case Command::policy_report:
      return policy_report_command(session);
    case Command::policy_lint:
      return policy_lint_command(session);
    case Command::policy_decrypt:
      return policy_decrypt_command(session);
    case Command::version:
      return version_command(session);
  }
  return ExitCode::bug;
}

ExitCode run_program(const std::vector<std::string>& arguments, const std::vector<connectors::Component>& catalog) {
  const auto environment = config::process_environment();
  const auto parsed = parse_command_line(arguments, environment);
  if (const auto* answered = std::get_if<Answered>(&parsed)) {
    std::cout << answered->out;
    std::cerr << answered->err;
    return answered->code;
  }
  const auto& invocation = std::get<Invocation>(parsed);
  const Session session{invocation,
                        catalog,
                        environment,
                        std::cin,
                        std::cout,
                        std::cerr,
                        observe::make_log_output(invocation.log_format, invocation.log_level),
                        ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1,
                        shows_colour(STDOUT_FILENO)};
  const auto code = execute(session);
  std::cout.flush();
  return code;
}

}  // namespace relay::app
