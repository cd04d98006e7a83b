#include <algorithm>
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
  if (state.place == PlaceKind::row_id)
    return "Dropping the reader " + pipeline + " (" + place_text(state.place, state.slot->confirmed_flush) +
           " is acknowledged): the purge of the outbox does not wait for it any more.\n" +
           "Rows that are purged before they were delivered are lost for this pipeline.\n" +
           "The stored position stays; before the next run: outbox-relay progress reset\n";
  return "Dropping slot " + state.slot_name + ": the database keeps no WAL for it any more.\n" +
         "Events committed after " + to_string(state.slot->confirmed_flush) +
         " that are not delivered yet will be lost for pipeline " + pipeline + " (the server's WAL ends at " +
         to_string(state.wal_end) + ").\n" +
         "The stored position stays; before the next run: outbox-relay progress reset\n";
}

std::string name_of(const SourceState& state, const std::string& pipeline) {
  return state.place == PlaceKind::row_id ? "reader " + pipeline : "slot " + state.slot_name;
}

// A slot that the source refuses to work with, a lost one for instance, is still there for the database.
Error with_statement(Error error, const PipelineConfig& pipeline) {
  const auto& fields = pipeline.source->fields;
  if (std::none_of(fields.begin(), fields.end(), [](const auto& f) { return f.name == "slot"; })) {
    error.hint =
        "to drop the reader all the same: DELETE FROM outbox_relay.reader WHERE pipeline = '" + pipeline.name + "'";
    return error;
  }
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
    session.out << "there is no " << name_of(state, parts.pipeline) << "; nothing to drop\n";
    return ExitCode::ok;
  }
  session.out << what_is_lost(parts.pipeline, state);
  if (!confirmed(session, parts.pipeline, "slot drop")) return ExitCode::usage;
  RELAY_TRY(parts.source.acquire(AcquireFor::creation));
  RELAY_TRY(parts.source.drop_slot());
  parts.log.warn("slot_dropped", "the " + name_of(state, parts.pipeline) + " was dropped by hand",
                 {{"slot", state.slot_name}, {"confirmed", place_text(state.place, state.slot->confirmed_flush)}});
  session.out << "dropped " << name_of(state, parts.pipeline) << "\n";
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
                      const auto* const what = made.place == PlaceKind::row_id ? "the reader of " : "slot ";
                      session.out << "created " << what << made.slot << " at " << place_text(made.place, made.end_lsn)
                                  << "\n";
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
