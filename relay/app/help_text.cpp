#include "relay/app/help_text.h"

namespace relay::app::help {

const char* const kProgram =
    "Forwards every committed row of a PostgreSQL outbox as an ordered event, exactly once into Kafka.";

const char* const kProgramFooter = R"(First steps:
  outbox-relay config example > outbox-relay.yaml    a commented configuration to edit
  outbox-relay check -c outbox-relay.yaml            is it right? (offline)
  outbox-relay doctor -c outbox-relay.yaml           are database and broker ready? (changes nothing)
  outbox-relay run -c outbox-relay.yaml              deliver until SIGTERM

Several -c merge in order; without -c, OUTBOX_RELAY_CONFIG names the files (separated by ':').

Exit codes:
  0   done
  64  the command line is wrong, or a question was not confirmed
  70  a bug in outbox-relay
  75  a failure that is worth a restart; a drain that was stopped early
  78  the configuration is wrong, or a refusal that a restart does not mend

`outbox-relay COMMAND --help` explains each command.)";

const char* const kRunFooter =
    R"(SIGTERM or SIGINT finishes what is in flight, commits, and exits with 0 within 10 s; with 75 when the broker did not say in
time whether the last batch was committed (the next start finds out). A second signal exits at once with 75.
A pipeline that is refused leaves the others running; the process exits with 78 only when none is left.

Example:
  outbox-relay run -c /etc/outbox-relay/outbox-relay.yaml --pipeline orders)";

const char* const kDrainFooter =
    R"(Delivers all that was committed before it started, then exits with 0. Stopped earlier, by --timeout or a signal, it exits
with 75, and the next drain goes on from there. This is the form for a Kubernetes Job or CronJob.

Example:
  outbox-relay drain -c outbox-relay.yaml --timeout 10m)";

const char* const kCheckFooter =
    R"(Reads the files and nothing else: no database, no broker. Prints every problem with file, line and column.
Exits with 0 when there is none (warnings aside), otherwise with 78.)";

const char* const kDoctorFooter =
    R"(Asks database and broker for all that `run` will need and changes nothing. Under each finding stands the SQL statement, ACL
line or setting that mends it. Exits with 0 without errors, 75 when nobody could be reached, otherwise 78.)";

const char* const kSlotFooter =
    R"(create makes the replication slot and stores where it begins, as the first start of `run` would; rows that are
       committed from then on are kept until they are delivered.
drop   removes the slot, so that the database keeps no WAL for it any more. What was committed and not delivered is
       lost for this pipeline, therefore it asks for the pipeline's name.

Examples:
  outbox-relay slot create -c outbox-relay.yaml --pipeline orders
  outbox-relay slot drop -c outbox-relay.yaml --pipeline orders --confirm orders)";

const char* const kProgressFooter =
    R"(The way on after a refusal. Each says what it would lose before it asks for the pipeline's name.

show   what is stored: position, sequence, slot; changes nothing.
adopt  makes the position of the existing slot the stored one: after a restore, a new topic, an upgrade of the database.
reset  forgets the stored position; the next start begins anew with a new slot. `sequence` goes on.

Examples:
  outbox-relay progress show -c outbox-relay.yaml -o json
  outbox-relay progress adopt -c outbox-relay.yaml --pipeline orders --confirm orders)";

const char* const kConfigFooter = R"(example    a commented configuration, ready to edit
reference  every field, as Markdown
schema     a JSON Schema; in editors with the YAML language server:
             # yaml-language-server: $schema=outbox-relay.schema.json
           reference and schema tell of policy files with --policy
show       the configuration in effect after merging, with defaults; secrets as ***)";

const char* const kMigrateFooter =
    R"(print   the SQL that the database needs, as files of the migration tool in use; asks nobody
apply   the same for those who use no tool: executes it, and notes it in outbox_relay.migration
status  what is there, and every difference from what this program would make; changes nothing. Exits with 0 when all is
        as it should be, otherwise with 78; `-o json` says the same to programs
down    takes back what apply did, newest first; asks when data would be lost

The parts (--with): outbox is the table outbox_relay.outbox with purge() and emit(); capture makes the changes of the
tables that --capture names events; messages is emit_message(); store are the tables for progress and dead letters;
columns adds the poll source's columns to an existing outbox (--outbox); publication and roles as they say.

Examples:
  outbox-relay migrate print --for flyway --out db/migration --with outbox,publication
  outbox-relay migrate print --capture 'public.orders {"aggregate_type": "order"}' --into messages | psql "$DATABASE_URL"
  outbox-relay migrate apply -c outbox-relay.yaml --capture public.orders
  outbox-relay migrate status -c outbox-relay.yaml -o json
  outbox-relay migrate down -c outbox-relay.yaml --through outbox_relay_outbox)";

const char* const kPolicyFooter =
    R"(preview  some events before and after, side by side; shows values, so only where you may see them
report   every field of a sample: its class, what becomes of it, what detectors found; no values (text, json, markdown)
lint     rules that never count, fields whose hash protects little; exit code 78 when there is something
decrypt  what the action encrypt made, as it was; needs the key

The events are rows of the pipeline's tables, read without a slot and without changing anything, or lines of a file
(--file): events as the file sink writes them, or payloads, for which --aggregate-type and --event-type say what they are.

Examples:
  outbox-relay policy preview -c outbox-relay.yaml --pipeline analytics --rows 3
  outbox-relay policy report -c outbox-relay.yaml --pipeline analytics -o markdown > record-of-processing.md
  outbox-relay policy lint -c outbox-relay.yaml --offline
  outbox-relay policy preview -c outbox-relay.yaml --file payloads.jsonl --aggregate-type order --event-type order_placed
  outbox-relay policy decrypt -c outbox-relay.yaml --pipeline analytics pii_2026:kVw3...)";

}  // namespace relay::app::help
