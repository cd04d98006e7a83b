// What this folder brings: the sources `slot` and `poll`, and the stores in the captured database.
#include "connectors/component.h"

#include "connectors/postgres/dead_letter_store.h"
#include "connectors/postgres/migration_database.h"
#include "connectors/postgres/poll_doctor.h"
#include "connectors/postgres/poll_source.h"
#include "connectors/postgres/poll_source_fields.h"
#include "connectors/postgres/progress_store.h"
#include "connectors/postgres/sample_rows.h"
#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/slot_source.h"
#include "connectors/postgres/source_fields.h"

namespace relay::connectors::postgres {
namespace {

// Whether this pipeline keeps something in the schema outbox_relay.
bool needs_store_tables(const BuildContext& context) {
  if (context.progress_in_database || outbox_config(context).create_tables) return true;
  const auto& on_reject = context.pipeline_config["on_reject"];
  return on_reject.is_map() && on_reject["dead_letter"].is_map() && on_reject["dead_letter"]["table"].has_value();
}

SourceSpec slot_spec() {
  SourceSpec spec;
  spec.name = "slot";
  spec.summary = "Rows of outbox tables, row changes of business tables, or logical messages, from a PostgreSQL logical replication slot.";
  spec.fields = slot_source_fields();
  spec.validate = validate_slot_source;
  spec.build = [](const BuildContext& context) -> Result<std::unique_ptr<Source>> {
    return std::make_unique<SlotSource>(slot_source_config(context), context.clock, context.log);
  };
  spec.doctor = [](const BuildContext& context) {
    return doctor_database(slot_source_config(context), needs_store_tables(context));
  };
  spec.sample = [](const BuildContext& context, std::size_t most, Batch& out) {
    return sample_rows(slot_source_config(context), most, out);
  };
  return spec;
}

SourceSpec poll_spec() {
  SourceSpec spec;
  spec.name = "poll";
  spec.summary = "Rows of one outbox table, read with ordinary SQL: for databases whose wal_level cannot be changed.";
  spec.fields = poll_source_fields();
  spec.validate = validate_poll_source;
  spec.build = [](const BuildContext& context) -> Result<std::unique_ptr<Source>> {
    return std::make_unique<PollSource>(poll_source_config(context), context.clock, context.log);
  };
  spec.doctor = [](const BuildContext& context) {
    return doctor_polled(poll_source_config(context), needs_store_tables(context));
  };
  spec.sample = [](const BuildContext& context, std::size_t most, Batch& out) {
    return sample_rows(poll_source_config(context).common, most, out);
  };
  return spec;
}

}  // namespace

Component component() {
  Component all;
  all.name = "postgres";
  all.sources = {slot_spec(), poll_spec()};
  all.progress_store = [](const BuildContext& context) -> Result<std::unique_ptr<ProgressStore>> {
    return make_progress_store(connection_config(context), context.log, outbox_config(context).create_tables);
  };
  all.dead_letter_store = [](const BuildContext& context) -> Result<std::unique_ptr<DeadLetterStore>> {
    return make_dead_letter_store(connection_config(context), context.log, outbox_config(context).create_tables);
  };
  all.migration_database = [](const config::Value& database) {
    return make_migration_database(connection_config(database, "migrate"));
  };
  return all;
}

}  // namespace relay::connectors::postgres
