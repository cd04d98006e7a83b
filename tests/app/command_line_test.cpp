#include <doctest/doctest.h>

#include "relay/app/invocation.h"

using namespace relay;
using namespace relay::app;

namespace {

const config::Environment kEmpty = [](const std::string&) { return std::nullopt; };

Invocation parsed(const std::vector<std::string>& words, const config::Environment& environment = kEmpty) {
  const auto result = parse_command_line(words, environment);
  const auto* answered = std::get_if<Answered>(&result);
  REQUIRE_MESSAGE(answered == nullptr, (answered ? answered->out + answered->err : ""));
  return std::get<Invocation>(result);
}

Answered answered(const std::vector<std::string>& words) {
  const auto result = parse_command_line(words, kEmpty);
  REQUIRE(std::holds_alternative<Answered>(result));
  return std::get<Answered>(result);
}

bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("every command is understood") {
  CHECK(parsed({"run", "-c", "a"}).command == Command::run);
  CHECK(parsed({"drain", "-c", "a"}).command == Command::drain);
  CHECK(parsed({"check", "-c", "a"}).command == Command::check);
  CHECK(parsed({"doctor", "-c", "a"}).command == Command::doctor);
  CHECK(parsed({"slot", "create", "-c", "a"}).command == Command::slot_create);
  CHECK(parsed({"slot", "drop", "-c", "a"}).command == Command::slot_drop);
  CHECK(parsed({"progress", "show", "-c", "a"}).command == Command::progress_show);
  CHECK(parsed({"progress", "adopt", "-c", "a"}).command == Command::progress_adopt);
  CHECK(parsed({"progress", "reset", "-c", "a"}).command == Command::progress_reset);
  CHECK(parsed({"config", "show", "-c", "a"}).command == Command::config_show);
  CHECK(parsed({"config", "schema"}).command == Command::config_schema);
  CHECK(parsed({"config", "example"}).command == Command::config_example);
  CHECK(parsed({"config", "reference"}).command == Command::config_reference);
  CHECK(parsed({"version"}).command == Command::version);
}

TEST_CASE("several files and pipelines are kept in order") {
  const auto i = parsed({"run", "-c", "a.yaml", "--config", "b.yaml", "--pipeline", "x", "--pipeline", "y"});
  CHECK(i.config_files == std::vector<std::string>{"a.yaml", "b.yaml"});
  CHECK(i.pipelines == std::vector<std::string>{"x", "y"});
}

TEST_CASE("log options, output, time-out and confirmation are read") {
  const auto i = parsed({"drain", "-c", "a", "--log-format", "json", "--log-level", "debug", "--timeout", "10m"});
  CHECK(i.log_format == observe::LogFormat::json);
  CHECK(i.log_level == LogLevel::debug);
  CHECK(i.timeout == Millis{600'000});
  CHECK(parsed({"doctor", "-c", "a", "-o", "json"}).json);
  CHECK_FALSE(parsed({"doctor", "-c", "a"}).json);
  CHECK(parsed({"migrate", "status", "-c", "a", "-o", "json"}).json);
  CHECK(parsed({"slot", "drop", "-c", "a", "--confirm", "orders"}).confirm == "orders");
  CHECK(parsed({"config", "show", "-c", "a", "--origins"}).origins);
}

TEST_CASE("without -c the environment names the files, and -c wins over it") {
  const config::Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "OUTBOX_RELAY_CONFIG") return "a.yaml:b.yaml";
    return std::nullopt;
  };
  CHECK(parsed({"run"}, environment).config_files == std::vector<std::string>{"a.yaml", "b.yaml"});
  CHECK(parsed({"run", "-c", "c"}, environment).config_files == std::vector<std::string>{"c"});
}

TEST_CASE("no configuration is a usage error that says how to name one") {
  const auto a = answered({"run"});
  CHECK(a.code == ExitCode::usage);
  CHECK(has(a.err, "no configuration file"));
  CHECK(has(a.err, "OUTBOX_RELAY_CONFIG"));
}

TEST_CASE("a mistyped command or option is a usage error with a suggestion") {
  const auto command = answered({"rnu"});
  CHECK(command.code == ExitCode::usage);
  CHECK(has(command.err, "did you mean run?"));
  const auto option = answered({"run", "-c", "a", "--pipline", "x"});
  CHECK(option.code == ExitCode::usage);
  CHECK(has(option.err, "outbox-relay run: "));
  CHECK(has(option.err, "did you mean --pipeline?"));
  CHECK(has(answered({"progress", "shwo"}).err, "did you mean show?"));
}

TEST_CASE("a bad value is a usage error that says what is legal") {
  CHECK(has(answered({"run", "-c", "a", "--log-level", "loud"}).err,
            "\"loud\" is none of debug, error, info, trace or warn"));
  CHECK(has(answered({"drain", "-c", "a", "--timeout", "10"}).err, "write 10s"));
  CHECK(has(answered({"doctor", "-c", "a", "-o", "xml"}).err, "\"xml\" is none of json or text"));
  CHECK(answered({"run", "-c"}).code == ExitCode::usage);
}

TEST_CASE("without a command the help is shown as a usage error") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{}, {"slot"}, {"progress"}}) {
    const auto a = answered(words);
    CHECK(a.code == ExitCode::usage);
    CHECK_MESSAGE(has(a.err, "Examples:") == !words.empty(), a.err);
    CHECK(has(a.err, "Usage:"));
  }
}

TEST_CASE("help teaches: first steps, exit codes, examples") {
  const auto a = answered({"--help"});
  CHECK(a.code == ExitCode::ok);
  for (const char* words : {"outbox-relay config example", "78  the configuration is wrong", "drain", "doctor"})
    CHECK_MESSAGE(has(a.out, words), a.out);
  const auto drain = answered({"drain", "--help"});
  CHECK(drain.code == ExitCode::ok);
  CHECK(has(drain.out, "outbox-relay drain -c outbox-relay.yaml --timeout 10m"));
  CHECK(answered({"help", "drain"}).out == drain.out);
  CHECK(answered({"help"}).out == a.out);
  CHECK(has(answered({"--version"}).out, "outbox-relay "));
}
