#include <ostream>

#include "relay/app/admin.h"
#include "relay/app/commands.h"
#include "relay/app/progress_text.h"

namespace relay::app {
namespace {

using Change = Result<Adoption> (*)(const AdminParts&, bool dry_run, Millis timeout, std::stop_token stop);

// A signal ends the question to the servers; while a person is asked, it ends the program.
Result<Adoption> stoppable(const AdminParts& parts, Change apply, bool dry_run) {
  Stopper stopper(parts.log);
  return apply(parts, dry_run, kAdminTimeout, stopper.token());
}

// First what would happen, then the confirmation, then the change, which is logged so that it can be found later.
Result<ExitCode> change(const Session& session, const AdminParts& parts, const std::string& word, Change apply) {
  RELAY_ASSIGN(const Adoption planned, stoppable(parts, apply, true));
  session.out << "stored now:  " << short_progress(planned.before) << "\n"
              << "stored then: " << short_progress(planned.after) << "\n"
              << "consequence: " << planned.consequence << "\n";
  if (!confirmed(session, parts.pipeline, "progress " + word)) return ExitCode::usage;
  RELAY_ASSIGN(const Adoption done, stoppable(parts, apply, false));
  parts.log.warn("progress_" + word, "the stored progress was changed by hand: " + done.consequence,
                 {{"before", short_progress(done.before)}, {"after", short_progress(done.after)}});
  session.out << "done: " << done.consequence << "\n";
  return ExitCode::ok;
}

ExitCode change_command(const Session& session, const std::string& word, Change apply) {
  const auto configuration = configure_one(session);
  if (!configuration) return configuration.error();
  return with_parts(session, *configuration, configuration->pipelines.front(),
                    [&](const AdminParts& parts) { return change(session, parts, word, apply); });
}

}  // namespace

ExitCode progress_show_command(const Session& session) {
  const auto configuration = configure(session);
  if (!configuration) return configuration.error();
  Stopper stopper(session.log());
  std::vector<StoredProgress> all;
  auto code = ExitCode::ok;
  for (const auto& pipeline : configuration->pipelines) {
    const auto one = with_parts(session, *configuration, pipeline, [&](const AdminParts& parts) -> Result<ExitCode> {
      RELAY_ASSIGN(auto stored, show_progress(parts, kLookTimeout, stopper.token()));
      all.emplace_back(parts.pipeline, std::move(stored));
      return ExitCode::ok;
    });
    if (one != ExitCode::ok) code = one;
  }
  if (session.invocation.json) {
    session.out << progress_list_json(all);
  } else {
    for (const auto& [name, stored] : all) session.out << progress_text(name, stored);
  }
  return code;
}

ExitCode progress_adopt_command(const Session& session) { return change_command(session, "adopt", adopt_progress); }

ExitCode progress_reset_command(const Session& session) { return change_command(session, "reset", reset_progress); }

}  // namespace relay::app
