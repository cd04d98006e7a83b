// policy preview, report, lint, decrypt: what a policy does, shown before anything is sent.
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <istream>
#include <ostream>
#include <random>

#include "relay/app/build.h"
#include "relay/app/commands.h"
#include "relay/config/suggest.h"
#include "relay/policy/keyed_actions.h"
#include "relay/policy/lint.h"
#include "relay/policy/policy_transform.h"
#include "relay/policy/preview.h"
#include "relay/policy/sample_file.h"

namespace relay::app {
namespace {

constexpr std::uint64_t kPreviewRows = 3, kSurveyRows = 1'000;

// The configuration, and its one pipeline with a policy; otherwise says why not.
struct Chosen {
  Configuration configuration;
  PipelineConfig pipeline;
};

tl::expected<Chosen, ExitCode> choose(const Session& session) {
  auto configuration = configure(session);
  if (!configuration) return tl::unexpected(configuration.error());
  std::vector<std::string> names;
  Chosen chosen;
  for (const auto& pipeline : configuration->pipelines) {
    if (!pipeline.policy) continue;
    names.push_back(pipeline.name);
    chosen.pipeline = pipeline;
  }
  if (names.size() == 1) {
    chosen.configuration = std::move(*configuration);
    return chosen;
  }
  session.err << "outbox-relay: "
              << (names.empty()
                      ? "no pipeline that was asked for has a policy\n  hint: policy: {file: FILE} in the configuration"
                      : "several pipelines have a policy\n  hint: add --pipeline " + config::listed(names))
              << "\n";
  return tl::unexpected(names.empty() ? ExitCode::configuration : ExitCode::usage);
}

BatchLimits limits_of(std::uint64_t rows) {
  constexpr std::size_t kBytes = 256u << 20;
  return {rows, kBytes, rows, kBytes};
}

Result<void> take_sample(const Session& session, const Chosen& chosen, std::uint64_t rows, Batch& out) {
  const auto& options = session.invocation.policy;
  if (!options.sample_file.empty())
    return policy::read_sample(options.sample_file, {options.aggregate_type, options.event_type, options.table}, rows,
                               out);
  const auto& source = *chosen.pipeline.source;
  if (!source.sample)
    return fail(ErrorKind::fatal, "sample_unsupported", "reading sample rows: the source " + source.name + " has none",
                "give events in a file: --file EVENTS.jsonl");
  return source.sample(build_context(chosen.configuration, chosen.pipeline, session.log()), rows, out);
}

// Whoever writes a policy need not have its keys: without them the results look alike and mean nothing.
policy::Keys keys_or_others(const Session& session, const policy::PolicyText& text,
                            const config::Environment& environment) {
  auto keys = policy::load_keys(text.keys, environment);
  if (keys) return std::move(*keys);
  session.err << "outbox-relay: " << keys.error().text()
              << "\nShown with throwaway keys instead: what is hashed and encrypted will look different.\n";
  policy::Keys made;
  std::random_device random;
  for (const auto& spec : text.keys) {
    policy::KeyBytes key(policy::KeySpec::kBytesMin);
    std::generate_n(key.data(), key.size(), [&] { return static_cast<unsigned char>(random()); });
    made.emplace(spec.id, std::move(key));
  }
  return made;
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 80) return 120;
  return size.ws_col;
}

tl::expected<policy::Survey, ExitCode> survey_of(const Session& session, const Chosen& chosen, Batch& sample) {
  const auto rows = session.invocation.policy.rows.value_or(kSurveyRows);
  if (const auto taken = take_sample(session, chosen, rows, sample); !taken)
    return tl::unexpected(report(session, taken.error()));
  if (sample.empty()) session.err << "outbox-relay: the sample is empty: there are no rows yet\n";
  return policy::survey(*chosen.pipeline.policy, sample);
}

const policy::KeyBytes* key_for(const policy::Keys& keys, const std::string& value) {
  const auto id = policy::key_id_of(value);
  const auto key = id ? keys.find(*id) : keys.end();
  return key == keys.end() ? nullptr : &key->second;
}

// The field is not written in the value; SIV tells which of the policy's encrypted fields it was.
std::optional<std::string> decrypted(const policy::PolicyText& text, const policy::Keys& keys,
                                     const std::string& value) {
  const auto* const key = key_for(keys, value);
  if (key == nullptr) return std::nullopt;
  for (const auto& field : policy::encrypted_fields(text))
    if (auto plain = policy::decrypt(*key, field, value)) return plain;
  return std::nullopt;
}

}  // namespace

ExitCode policy_preview_command(const Session& session) {
  const auto chosen = choose(session);
  if (!chosen) return chosen.error();
  const auto rows = session.invocation.policy.rows.value_or(kPreviewRows);
  Batch batch(limits_of(rows));
  if (const auto taken = take_sample(session, *chosen, rows, batch); !taken) return report(session, taken.error());
  const auto& text = *chosen->pipeline.policy;
  const auto keys = keys_or_others(session, text, chosen->configuration.environment);
  policy::PolicyTransform transform(policy::compile(text, keys), {true}, Logger{});
  transform.apply(batch, 0);
  if (batch.empty()) session.err << "outbox-relay: the sample is empty: there are no rows yet\n";
  const policy::PreviewStyle style{session.colour, terminal_width()};
  for (const auto& event : batch.events()) session.out << policy::preview(text, event, style) << "\n";
  return ExitCode::ok;
}

ExitCode policy_report_command(const Session& session) {
  const auto chosen = choose(session);
  if (!chosen) return chosen.error();
  Batch sample(limits_of(session.invocation.policy.rows.value_or(kSurveyRows)));
  const auto survey = survey_of(session, *chosen, sample);
  if (!survey) return survey.error();
  session.out << policy::report(*survey, chosen->pipeline.policy->file, session.invocation.policy.form);
  return ExitCode::ok;
}

ExitCode policy_lint_command(const Session& session) {
  const auto chosen = choose(session);
  if (!chosen) return chosen.error();
  Batch sample(limits_of(session.invocation.policy.rows.value_or(kSurveyRows)));
  policy::Survey survey;
  if (!session.invocation.policy.offline) {
    auto seen = survey_of(session, *chosen, sample);
    if (!seen) return seen.error();
    survey = std::move(*seen);
  }
  const auto findings = policy::lint(*chosen->pipeline.policy, session.invocation.policy.offline ? nullptr : &survey);
  for (const auto& found : findings) {
    session.out << (found.mark.file.empty() ? chosen->pipeline.policy->file : found.mark.file);
    if (found.mark.line > 0) session.out << ":" << found.mark.line << ":" << found.mark.column;
    session.out << ": " << found.code << ": " << found.subject << ": " << found.message << "\n  hint: " << found.hint
                << "\n";
  }
  session.out << findings.size() << (findings.size() == 1 ? " finding" : " findings");
  if (!session.invocation.policy.offline) session.out << " in a sample of " << survey.events << " events";
  session.out << "\n";
  return findings.empty() ? ExitCode::ok : ExitCode::configuration;
}

ExitCode policy_decrypt_command(const Session& session) {
  const auto chosen = choose(session);
  if (!chosen) return chosen.error();
  const auto& text = *chosen->pipeline.policy;
  const auto keys = policy::load_keys(text.keys, chosen->configuration.environment);
  if (!keys) return report(session, keys.error());
  auto values = session.invocation.policy.values;
  for (std::string line; session.invocation.policy.values.empty() && std::getline(session.in, line);)
    if (!line.empty()) values.push_back(line);
  auto code = ExitCode::ok;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (const auto plain = decrypted(text, *keys, values[i])) {
      session.out << *plain << "\n";
      continue;
    }
    session.err << "outbox-relay: value " << i + 1
                << " cannot be decrypted: another key, no field of this policy that is encrypted, or altered\n"
                << "  hint: keep the old key and the rule in the policy as long as what they encrypted is to be read\n";
    code = ExitCode::configuration;
  }
  return code;
}

}  // namespace relay::app
