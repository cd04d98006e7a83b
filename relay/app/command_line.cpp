// The only file that includes CLI11.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>

#include "relay/app/help_text.h"
#include "relay/app/invocation.h"
#include "relay/config/suggest.h"
#include "relay/config/units.h"
#include "relay/migrate/layout.h"

namespace relay::app {
namespace {

using observe::LogFormat;

const std::map<std::string, LogFormat> kFormats{{"text", LogFormat::text}, {"json", LogFormat::json}};
const std::map<std::string, policy::ReportForm> kReportForms{{"text", policy::ReportForm::text},
                                                              {"json", policy::ReportForm::json},
                                                              {"markdown", policy::ReportForm::markdown}};
const std::map<std::string, LogLevel> kLevels{{"trace", LogLevel::trace},
                                              {"debug", LogLevel::debug},
                                              {"info", LogLevel::info},
                                              {"warn", LogLevel::warn},
                                              {"error", LogLevel::error}};

std::vector<std::string> split_list(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty()) out.push_back(part);
  return out;
}

std::string one_of(const std::vector<std::string>& known, const std::string& word) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return {};
  return "\"" + word + "\" is none of " + config::listed(known);
}

template <typename T>
std::string one_of(const std::map<std::string, T>& known, const std::string& word) {
  std::vector<std::string> names;
  for (const auto& [name, value] : known) names.push_back(name);
  return one_of(names, word);
}

bool reads_config(Command command) {
  return command != Command::version && command != Command::config_schema && command != Command::config_example &&
         command != Command::config_reference && command != Command::migrate_print;
}

// Declares the commands and fills an Invocation while CLI11 parses.
class Parser {
 public:
  Parser() : app_(help::kProgram, "outbox-relay") {
    app_.footer(help::kProgramFooter);
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(30);
    app_.set_version_flag("--version", "outbox-relay " RELAY_VERSION, "The version");
    serving_commands();
    admin_commands();
    migrate_commands();
    policy_commands();
    config_commands();
    command(app_, "version", "Version and connectors of this program", Command::version);
  }

  std::variant<Invocation, Answered> parse(const std::vector<std::string>& arguments,
                                           const config::Environment& environment) {
    try {
      app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // in the order that CLI11 wants
    } catch (const CLI::ParseError& e) {
      return e.get_exit_code() == 0 ? answer(e) : usage_error(e, arguments);
    }
    for (const auto& text : captures_) {
      auto capture = migrate::parse_capture(text, into_);
      if (!capture) return Answered{ExitCode::usage, "", "outbox-relay: " + capture.error().text() + "\n"};
      invocation_.migrate.request.captures.push_back(std::move(*capture));
    }
    if (!reads_config(invocation_.command)) return invocation_;
    if (invocation_.config_files.empty())
      if (const auto files = environment("OUTBOX_RELAY_CONFIG")) invocation_.config_files = split_list(*files, ':');
    if (invocation_.config_files.empty())
      return Answered{ExitCode::usage, "",
                      "outbox-relay: no configuration file\n  hint: name one with -c FILE or in OUTBOX_RELAY_CONFIG; "
                      "`outbox-relay config example` prints one to begin with\n"};
    return invocation_;
  }

 private:
  CLI::App* command(CLI::App& parent, const std::string& name, const std::string& summary, Command value) {
    auto* sub = parent.add_subcommand(name, summary);
    sub->callback([this, value] { invocation_.command = value; });
    return sub;
  }

  CLI::App* group(const std::string& name, const std::string& summary, const char* footer) {
    auto* sub = app_.add_subcommand(name, summary);
    sub->require_subcommand(1);
    sub->footer(footer);
    return sub;
  }

  void serving_commands() {
    auto* run = command(app_, "run", "Deliver until SIGTERM", Command::run);
    run->footer(help::kRunFooter);
    with_pipelines(with_config(run));
    auto* drain = command(app_, "drain", "Deliver what is committed, then exit", Command::drain);
    drain->footer(help::kDrainFooter);
    with_pipelines(with_config(drain));
    drain
        ->add_option_function<std::string>(
            "--timeout", [this](const std::string& text) { set_timeout(text); },
            "Give up after so long (10m, 1h), with exit code 75")
        ->type_name("DURATION");
    auto* check = command(app_, "check", "Look for problems in the configuration, offline", Command::check);
    check->footer(help::kCheckFooter);
    with_config(check);
    auto* doctor = command(app_, "doctor", "Ask database and broker for what `run` needs", Command::doctor);
    doctor->footer(help::kDoctorFooter);
    with_output(with_pipelines(with_config(doctor)));
  }

  void admin_commands() {
    auto* slot = group("slot", "Create or drop the replication slot", help::kSlotFooter);
    with_pipelines(with_config(command(*slot, "create", "Create it and store where it begins", Command::slot_create)));
    with_confirm(with_pipelines(with_config(command(*slot, "drop", "Remove it (asks)", Command::slot_drop))));
    auto* progress = group("progress", "Show, take over or forget the stored position", help::kProgressFooter);
    with_output(with_pipelines(with_config(command(*progress, "show", "What is stored", Command::progress_show))));
    with_confirm(with_pipelines(
        with_config(command(*progress, "adopt", "Store the slot's position (asks)", Command::progress_adopt))));
    with_confirm(with_pipelines(
        with_config(command(*progress, "reset", "Forget the stored position (asks)", Command::progress_reset))));
  }

  void config_commands() {
    auto* config = group("config", "Example, reference and schema of the configuration", help::kConfigFooter);
    command(*config, "example", "A commented configuration", Command::config_example);
    for (auto* sub : {command(*config, "reference", "Every field, as Markdown", Command::config_reference),
                      command(*config, "schema", "A JSON Schema for editors", Command::config_schema)})
      sub->add_flag("--policy", invocation_.of_policy, "Of policy files instead");
    auto* show = with_config(command(*config, "show", "What is in effect; secrets as ***", Command::config_show));
    show->add_flag("--origins", invocation_.origins, "Also file and line of each value");
  }

  void migrate_commands() {
    auto* migrate = group("migrate", "The SQL that the database needs", help::kMigrateFooter);
    auto* print = with_parts(command(*migrate, "print", "As files of a migration tool", Command::migrate_print));
    auto& options = invocation_.migrate;
    print->add_option("--for", options.tool, "The tool, see below; default: psql")
        ->type_name("TOOL")
        ->check([](const std::string& word) { return one_of(migrate::tools(), word); });
    print->add_option("--out", options.directory, "Write files into this directory; default: print them")
        ->type_name("DIR");
    print->add_option("--first", options.first, "Version of the first file; default: the time, as 20260131235959")
        ->type_name("NUMBER");
    print->add_flag("--down", options.down, "For psql on standard output: what takes it back");
    with_config(with_parts(command(*migrate, "apply", "Make it, and note that", Command::migrate_apply)));
    auto* status = command(*migrate, "status", "What is there, and what differs", Command::migrate_status);
    with_output(with_config(with_parts(status)));
    auto* down =
        with_confirm(with_config(command(*migrate, "down", "Take back the newest one (asks)", Command::migrate_down)));
    down->add_flag("--all", options.all, "Everything that apply did");
    down->add_option("--through", options.through, "The newest ones down to this one")->type_name("NAME");
  }

  void policy_commands() {
    auto* policy = group("policy", "What a pipeline's policy lets leave", help::kPolicyFooter);
    with_sample(command(*policy, "preview", "Events before and after", Command::policy_preview));
    auto* report = with_sample(command(*policy, "report", "Every field and what becomes of it", Command::policy_report));
    auto& options = invocation_.policy;
    report
        ->add_option_function<std::string>(
            "-o,--output", [&options](const std::string& form) { options.form = kReportForms.at(form); },
            "text, json or markdown; default: text")
        ->type_name("FORM")
        ->check([](const std::string& word) { return one_of(kReportForms, word); });
    auto* lint = with_sample(command(*policy, "lint", "What is probably not meant", Command::policy_lint));
    lint->add_flag("--offline", options.offline, "Only the policy itself, without a sample");
    auto* decrypt = with_pipelines(with_config(command(*policy, "decrypt", "Encrypted values as they were", Command::policy_decrypt)));
    decrypt->add_option("VALUE", options.values, "Encrypted values; default: one a line of the standard input");
  }

  CLI::App* with_sample(CLI::App* sub) {
    auto& options = invocation_.policy;
    with_pipelines(with_config(sub));
    sub->add_option("--file", options.sample_file, "Events from this file instead of the database")->type_name("FILE");
    sub->add_option("--rows", options.rows, "Events of the sample; default: 3 of preview, 1000 otherwise")
        ->type_name("NUMBER")
        ->check(CLI::Range(1, 100'000));
    sub->add_option("--aggregate-type", options.aggregate_type, "Of a file's payloads")->type_name("NAME");
    sub->add_option("--event-type", options.event_type, "Of a file's payloads")->type_name("NAME");
    sub->add_option("--table", options.table, "Of a file's events")->type_name("NAME");
    return sub;
  }

  CLI::App* with_parts(CLI::App* sub) {
    auto& request = invocation_.migrate.request;
    const auto list = [](std::vector<std::string>& into) {
      return [&into](const std::string& text) {
        for (auto& part : split_list(text, ',')) into.push_back(std::move(part));
      };
    };
    sub->add_option_function<std::string>("--with", list(request.parts), "Parts, separated by commas; default: outbox")
        ->type_name("PARTS");
    sub->add_option("--capture", captures_, "A table whose changes become events; its options after it as JSON")
        ->type_name("TABLE")
        ->allow_extra_args(false);
    sub->add_option("--into", into_, "Where captured changes go: outbox (default) or messages")
        ->type_name("WHERE")
        ->check([](const std::string& word) {
          return one_of(std::vector<std::string>{"outbox", "messages"}, word);
        });
    sub->add_option("--outbox", request.existing_outbox, "An existing outbox table, for the columns of the poll source")
        ->type_name("TABLE");
    sub->add_option("--publication", request.publication, "Its name; default: outbox_relay")->type_name("NAME");
    sub->add_option("--publish", request.published, "A table for the publication; default: the outbox")
        ->type_name("TABLE")
        ->allow_extra_args(false);
    sub->add_option("--relay-role", request.relay_role, "The relay's role, for the part roles")->type_name("NAME");
    sub->add_option("--app-role", request.app_role, "The application's role, for the part roles")->type_name("NAME");
    return sub;
  }

  CLI::App* with_config(CLI::App* sub) {
    sub->add_option("-c,--config", invocation_.config_files, "Configuration file; several merge in order")
        ->type_name("FILE")
        ->allow_extra_args(false);
    sub->add_option_function<std::string>(
           "--log-format", [this](const std::string& f) { invocation_.log_format = kFormats.at(f); },
           "text or json; default: text on a terminal, json otherwise")
        ->type_name("FORMAT")
        ->check([](const std::string& word) { return one_of(kFormats, word); });
    sub->add_option_function<std::string>(
           "--log-level", [this](const std::string& l) { invocation_.log_level = kLevels.at(l); },
           "trace, debug, info, warn or error; default: info")
        ->type_name("LEVEL")
        ->check([](const std::string& word) { return one_of(kLevels, word); });
    return sub;
  }

  CLI::App* with_pipelines(CLI::App* sub) {
    sub->add_option("--pipeline", invocation_.pipelines, "Only this pipeline; may be given several times")
        ->type_name("NAME")
        ->allow_extra_args(false);
    return sub;
  }

  CLI::App* with_output(CLI::App* sub) {
    static const std::map<std::string, bool> kOutputs{{"text", false}, {"json", true}};
    sub->add_option_function<std::string>(
           "-o,--output", [this](const std::string& o) { invocation_.json = o == "json"; },
           "text or json; default: text")
        ->type_name("FORM")
        ->check([](const std::string& word) { return one_of(kOutputs, word); });
    return sub;
  }

  CLI::App* with_confirm(CLI::App* sub) {
    sub->add_option_function<std::string>(
           "--confirm", [this](const std::string& name) { invocation_.confirm = name; },
           "The pipeline's name again, instead of typing it when asked")
        ->type_name("NAME");
    return sub;
  }

  void set_timeout(const std::string& text) {
    const auto value = config::parse_duration(text);
    if (!value)
      throw CLI::ValidationError("--timeout", "expected a duration such as 10m; " + config::duration_hint(text));
    invocation_.timeout = *value;
  }

  Answered answer(const CLI::ParseError& e) const {
    std::ostringstream out, err;
    app_.exit(e, out, err);
    return {ExitCode::ok, out.str(), err.str()};
  }

  // The command that was reached, and the first word that is none of its commands or options. CLI11's own message lists
  // all words that are left, in reverse.
  struct Reached {
    const CLI::App* at;
    std::string name = "outbox-relay";  // of `at`, as typed
    std::string parents;                // the same without its last word
    std::optional<std::string> unknown;
  };

  static const CLI::App* subcommand(const CLI::App& of, const std::string& name) {
    for (const auto* sub : of.get_subcommands(nullptr))
      if (sub->get_name() == name) return sub;
    return nullptr;
  }

  Reached reached(const std::vector<std::string>& arguments) const {
    Reached r{&app_, "outbox-relay", "", std::nullopt};
    for (std::size_t i = 0; i < arguments.size() && !r.unknown; ++i) {
      const auto& word = arguments[i];
      if (const auto* sub = subcommand(*r.at, word)) {
        r.parents = r.name;
        r.name += " " + word;
        r.at = sub;
        continue;
      }
      const auto* option = word[0] == '-' ? r.at->get_option_no_throw(word.substr(0, word.find('='))) : nullptr;
      if (option == nullptr)
        r.unknown = word;
      else if (option->get_items_expected_max() > 0 && word.find('=') == std::string::npos)
        ++i;  // its value
    }
    return r;
  }

  Answered usage_error(const CLI::ParseError& e, const std::vector<std::string>& arguments) const {
    const auto r = reached(arguments);
    std::string hint = "see " + r.name + " --help";
    if (r.unknown && (*r.unknown)[0] == '-' && r.at == &app_)
      return {ExitCode::usage, "",
              r.name + ": options come after the command\n  hint: " + r.name + " run -c FILE; " + hint + "\n"};
    if (r.unknown) {
      if (const auto meant = config::nearest(*r.unknown, known_words(*r.at)))
        hint = "did you mean " + *meant + "? " + hint;
      const bool command = (*r.unknown)[0] != '-' && !r.at->get_subcommands(nullptr).empty();
      const auto problem = (*r.unknown)[0] == '-' ? "there is no option "
                           : command              ? "there is no command "
                                                  : "it takes no argument ";
      return {ExitCode::usage, "", r.name + ": " + problem + *r.unknown + "\n  hint: " + hint + "\n"};
    }
    if (dynamic_cast<const CLI::RequiredError*>(&e) != nullptr) return {ExitCode::usage, "", r.at->help(r.parents)};
    return {ExitCode::usage, "", r.name + ": " + e.what() + "\n  hint: " + hint + "\n"};
  }

  static std::vector<std::string> known_words(const CLI::App& at) {
    std::vector<std::string> known;
    for (const auto* sub : at.get_subcommands(nullptr)) known.push_back(sub->get_name());
    for (const auto* option : at.get_options())
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    return known;
  }

  CLI::App app_;
  Invocation invocation_;
  std::vector<std::string> captures_;  // as typed
  std::string into_;
};

}  // namespace

std::variant<Invocation, Answered> parse_command_line(const std::vector<std::string>& arguments,
                                                      const config::Environment& environment) {
  if (arguments.empty() || arguments.front() != "help") return Parser().parse(arguments, environment);
  std::vector<std::string> asked(arguments.begin() + 1, arguments.end());  // "help run" is "run --help"
  asked.emplace_back("--help");
  return Parser().parse(asked, environment);
}

}  // namespace relay::app
