// policy preview, report, lint and decrypt through the command line.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "relay/policy/keyed_actions.h"
#include "relay/policy/keys.h"
#include "try_command.h"

using namespace relay;
using namespace relay::app;
using namespace relay::app::test;

namespace {

// A directory with a configuration, a policy, its key and events.
struct Files {
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "relay-policy-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    write("relay.yaml", "database: {url: u}\npipelines:\n"
                        "  payments: {source: {type: slot}, policy: none, sink: {type: memory}}\n"
                        "  analytics: {source: {type: slot}, policy: {file: policy.yaml}, sink: {type: partner}}\n");
    write("policy.yaml",
          "version: 1\nkeys: {k: {file: k}}\nevents:\n"
          "  - match: {aggregate_type: order, event_type: placed}\n    key: keep\n    payload:\n"
          "      $.email: {action: encrypt, key: k, class: personal}\n      $.a: drop\n      $.a.b: keep\n");
    write("k", "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=");
    write("events.jsonl", "{\"email\":\"bob@example.com\",\"new\":1}\n");
  }
  ~Files() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    ::chmod((path / name).c_str(), 0600);
  }
  Said say(std::vector<std::string> words, const std::string& typed = "") const {
    words.insert(words.end(), {"-c", (path / "relay.yaml").string()});
    return try_command(std::make_shared<World>(), words, typed);
  }
  Said with_events(std::vector<std::string> words) const {
    words.insert(words.end(),
                 {"--file", (path / "events.jsonl").string(), "--aggregate-type", "order", "--event-type", "placed"});
    return say(std::move(words));
  }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("policy preview shows events before and after, of the one pipeline that has a policy") {
  const Files files;
  const auto said = files.with_events({"policy", "preview"});
  CHECK(said.code == ExitCode::ok);
  CHECK(said.has("bob@example.com"));
  CHECK(said.has("\"k:"));
  CHECK(said.has("encrypt k"));
  CHECK(said.has("no rule"));
}

TEST_CASE("policy preview works without the keys, and says so") {
  const Files files;
  std::filesystem::remove(files.path / "k");
  const auto said = files.with_events({"policy", "preview"});
  CHECK(said.code == ExitCode::ok);
  CHECK(said.err.find("policy_key_missing") != std::string::npos);
  CHECK(said.has("throwaway keys"));
}

TEST_CASE("policy report has three forms and no values") {
  const Files files;
  CHECK(files.with_events({"policy", "report"}).has("$.email"));
  CHECK(files.with_events({"policy", "report", "-o", "markdown"}).has("| $.email | encrypt | personal |"));
  CHECK(files.with_events({"policy", "report", "-o", "json"}).has("\"class\": \"personal\""));
  CHECK(!files.with_events({"policy", "report"}).has("bob@"));
  CHECK(files.with_events({"policy", "report", "-o", "pdf"}).code == ExitCode::usage);
}

TEST_CASE("policy lint ends with 78 when there is something, with its place") {
  const Files files;
  const auto said = files.say({"policy", "lint", "--offline"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("policy.yaml:9:14: rule_shadowed: events[0].payload.$.a.b"));
  CHECK(said.has("1 finding\n"));
  CHECK(files.with_events({"policy", "lint"}).has("rule_never_matched"));
}

TEST_CASE("policy decrypt takes back what encrypt made, from arguments or standard input, and nothing else") {
  const Files files;
  const auto keys = policy::load_keys({{"k", (files.path / "k").string(), "", "", {}}}, config::process_environment());
  REQUIRE(keys.has_value());
  std::string value;
  policy::encrypt_action(keys->at("k"), "k", "payload $.email")
      ->apply({policy::Scalar::Type::string, "bob@example.com"}, value);
  CHECK(files.say({"policy", "decrypt", value}).out == "\"bob@example.com\"\n");
  CHECK(files.say({"policy", "decrypt"}, value + "\n" + value + "\n").out ==
        "\"bob@example.com\"\n\"bob@example.com\"\n");
  const auto altered = files.say({"policy", "decrypt", value, value + "A"});
  CHECK(altered.code == ExitCode::configuration);
  CHECK(altered.has("value 2 cannot be decrypted"));
  CHECK(altered.err.find(value) == std::string::npos);
}

TEST_CASE("a source without samples and a configuration without a policy are told") {
  const Files files;
  const auto said = files.say({"policy", "preview"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("sample_unsupported"));
  const auto none = files.say({"policy", "preview", "--pipeline", "payments"});
  CHECK(none.code == ExitCode::configuration);
  CHECK(none.has("has a policy"));
}

TEST_CASE("doctor says whether the keys of a policy can be read") {
  const Files files;
  CHECK(files.say({"doctor"}).has("its keys can be read (1)"));
  ::chmod((files.path / "k").c_str(), 0644);
  const auto said = files.say({"doctor"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("everybody on the machine may read or change it"));
  CHECK(said.has("chmod 600"));
}
