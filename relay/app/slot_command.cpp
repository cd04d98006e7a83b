#include <ostream>

#include "relay/app/admin.h"
#include "relay/app/commands.h"

namespace relay::app {
namespace {

// Gives lock and connections back on every way out.
class Releaser {
 public:
  explicit Releaser(Source& source) : source_(source) {}
  ~Releaser() { source_.release(); }
  Releaser(const Releaser&) = delete;
  Releaser& operator=(const Releaser&) = delete;

 private:
  Source& source_;
};

std::string what_is_lost(const std::string& pipeline, const SourceState& state) {
  return "Dropping slot " + state.slot_name + ": the database keeps no WAL for it any more.\n" +
         "Events committed after " + to_string(state.slot->confirmed_flush) +
         " that are not delivered yet will be lost for pipeline " + pipeline + " (the server's WAL ends at " +
         to_string(state.wal_end) + ").\n" +
         "The stored position stays; before the next run: outbox-relay progress reset\n";
}

// A slot that the source refuses to work with, a lost one for instance, is still there for the database.
Error with_statement(Error error, const PipelineConfig& pipeline) {
  const auto& slot = (*pipeline.value)["source"]["slot"];
  const auto name = slot && slot.was_written() ? slot.as_string() : "outbox_relay_" + pipeline.name;
  error.hint = "to drop the slot all the same: SELECT pg_drop_replication_slot('" + name + "');";
  return error;
}

Result<ExitCode> drop(const Session& session, const PipelineConfig& pipeline, const AdminParts& parts) {
  const Releaser release(parts.source);
  auto looked = parts.source.inspect();
  if (!looked && looked.error().kind == ErrorKind::fatal) return fail(with_statement(looked.error(), pipeline));
  RELAY_ASSIGN(const SourceState state, std::move(looked));
  if (!state.slot) {
    session.out << "there is no slot " << state.slot_name << "; nothing to drop\n";
    return ExitCode::ok;
  }
  session.out << what_is_lost(parts.pipeline, state);
  if (!confirmed(session, parts.pipeline, "slot drop")) return ExitCode::usage;
  RELAY_TRY(parts.source.acquire(AcquireFor::creation));
  RELAY_TRY(parts.source.drop_slot());
  parts.log.warn("slot_dropped", "the slot was dropped by hand",
                 {{"slot", state.slot_name}, {"confirmed", to_string(state.slot->confirmed_flush)}});
  session.out << "dropped slot " << state.slot_name << "\n";
  return ExitCode::ok;
}

}  // namespace

ExitCode slot_create_command(const Session& session) {
  const auto configuration = configure_one(session);
  if (!configuration) return configuration.error();
  Stopper stopper(session.log());
  return with_parts(session, *configuration, configuration->pipelines.front(),
                    [&](const AdminParts& parts) -> Result<ExitCode> {
                      RELAY_ASSIGN(const Progress made, create_slot(parts, kAdminTimeout, stopper.token()));
                      session.out << "created slot " << made.slot << " at " << to_string(made.end_lsn) << "\n";
                      return ExitCode::ok;
                    });
}

ExitCode slot_drop_command(const Session& session) {
  const auto configuration = configure_one(session);
  if (!configuration) return configuration.error();
  const auto& pipeline = configuration->pipelines.front();
  return with_parts(session, *configuration, pipeline,
                    [&](const AdminParts& parts) { return drop(session, pipeline, parts); });
}

}  // namespace relay::app
