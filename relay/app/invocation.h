// A command line as plain values.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "relay/app/exit_code.h"
#include "relay/base/clock.h"
#include "relay/config/load.h"
#include "relay/migrate/plan.h"
#include "relay/observe/log_output.h"
#include "relay/policy/report.h"

namespace relay::app {

enum class Command {
  run,
  drain,
  check,
  doctor,
  slot_create,
  slot_drop,
  progress_show,
  progress_adopt,
  progress_reset,
  config_schema,
  config_example,
  config_reference,
  config_show,
  migrate_print,
  migrate_apply,
  migrate_status,
  migrate_down,
  policy_preview,
  policy_report,
  policy_lint,
  policy_decrypt,
  version,
};

// What `migrate` makes, and where it goes.
struct MigrateOptions {
  migrate::Request request;
  std::string tool = "psql";           // --for
  std::string directory;               // --out; empty: standard output
  std::optional<std::uint64_t> first;  // --first: version of the first migration
  bool down = false;                   // print --down
  bool all = false;                    // down --all
  std::string through;                 // down --through NAME
};

// What the commands of `policy` look at, and how they answer.
struct PolicyOptions {
  std::string sample_file;             // --file; empty: rows of the database
  std::optional<std::uint64_t> rows;   // --rows
  std::string aggregate_type, event_type, table;  // of events that the file holds only payloads of
  policy::ReportForm form = policy::ReportForm::text;
  bool offline = false;                // lint --offline
  std::vector<std::string> values;     // decrypt
};

struct Invocation {
  Command command = Command::version;
  std::vector<std::string> config_files;  // -c, or else OUTBOX_RELAY_CONFIG
  std::vector<std::string> pipelines;     // --pipeline; empty: all
  observe::LogFormat log_format = observe::LogFormat::automatic;
  LogLevel log_level = LogLevel::info;
  bool json = false;                   // -o json
  bool origins = false;                // config show --origins
  bool of_policy = false;              // config reference, schema --policy
  std::optional<Millis> timeout;       // drain --timeout
  std::optional<std::string> confirm;  // --confirm NAME
  MigrateOptions migrate;
  PolicyOptions policy;
};

// Help that was asked for (out), or a usage error (err).
struct Answered {
  ExitCode code = ExitCode::ok;
  std::string out, err;
};

// `arguments` without the program's name. Pure.
std::variant<Invocation, Answered> parse_command_line(const std::vector<std::string>& arguments,
                                                      const config::Environment& environment);

}  // namespace relay::app
