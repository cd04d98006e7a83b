// Every command, one file each. A command says what it has to say and returns how to exit.
#pragma once

#include "relay/app/session.h"

namespace relay::app {

ExitCode execute(const Session& session);  // the one that the invocation names

ExitCode run_command(const Session& session);
ExitCode drain_command(const Session& session);
ExitCode check_command(const Session& session);
ExitCode doctor_command(const Session& session);
ExitCode slot_create_command(const Session& session);
ExitCode slot_drop_command(const Session& session);
ExitCode progress_show_command(const Session& session);
ExitCode progress_adopt_command(const Session& session);
ExitCode progress_reset_command(const Session& session);
ExitCode config_schema_command(const Session& session);
ExitCode config_example_command(const Session& session);
ExitCode config_reference_command(const Session& session);
ExitCode config_show_command(const Session& session);
ExitCode migrate_print_command(const Session& session);
ExitCode migrate_apply_command(const Session& session);
ExitCode migrate_status_command(const Session& session);
ExitCode migrate_down_command(const Session& session);
ExitCode policy_preview_command(const Session& session);
ExitCode policy_report_command(const Session& session);
ExitCode policy_lint_command(const Session& session);
ExitCode policy_decrypt_command(const Session& session);
ExitCode version_command(const Session& session);

// The whole program after process.h: parses `arguments` (without the program's name) and executes.
ExitCode run_program(const std::vector<std::string>& arguments, const std::vector<connectors::Component>& catalog);

}  // namespace relay::app
