// Judges facts against the configuration. Pure: no server, no I/O. A Problem is what `run` refuses with and what
// `doctor` shows red, from one place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/server_questions_facts.h"
#include "relay/model/finding.h"

namespace relay::connectors::postgres {

struct Problem {
  ErrorKind kind = ErrorKind::fatal;
  std::string code;
  std::string subject;  // "table public.outbox"
  std::string message;  // names the object, what is wrong and what that means
  std::string advice;   // words before the fix in a hint; may be empty
  std::string fix;      // to copy and paste

  Error error() const;
  Finding finding() const;
};
using Problems = std::vector<Problem>;

// All other questions need 13 already.
Problems version_problems(const SlotSourceConfig& config, int server_version);
Problems server_problems(const ServerFacts& server);
Problems table_problems(const SlotSourceConfig& config, const TablesFacts& facts, const PublicationFacts* publication);
// `publication` null: there is none. `slot_exists`: a publication that is made after the slot comes too late for it.
Problems publication_problems(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                              const PublicationFacts* publication, bool slot_exists);
Problems slot_problems(const SlotSourceConfig& config, const ServerFacts& server, const SlotFacts& slot);
// Why the slot could not be created, or the existing rows not be read. `with_rows`: tables that have some.
Problems creation_problems(const SlotSourceConfig& config, const ServerFacts& server,
                           const std::vector<TableFacts>& tables, const std::vector<const TableFacts*>& with_rows);

// Of these, what the order and the key of one table make impossible, whoever reads.
Problems initial_read_problems(const SlotSourceConfig& config, const TableFacts& table);

// The root is in it by name, by schema or by FOR ALL TABLES, or every partition is.
bool is_published(const PublicationFacts& publication, const TableFacts& table);

// The column is sent with the rows of its table. A column list decides alone, otherwise generated columns stay out unless
// the publication has them. `publication` null: there is none yet.
bool is_sent(const PublicationFacts* publication, const TableFacts& table, const ColumnFacts& column);

// Why the server refuses the application's UPDATE and DELETE on a published table that has a replica identity, as soon as
// these are published; empty when it does not. `publication` null: one that names whole tables and no more.
std::string why_updates_fail(const PublicationFacts* publication, const TableFacts& table);

// A publication that is still to be made must serve all tables at once.
Problems new_publication_problems(const SlotSourceConfig& config, const std::vector<TableFacts>& tables);

// Tables that only a pattern names and that the publication lacks: known when the slot exists, and no reason to stop.
std::vector<const TableFacts*> unpublished_matches(const SlotSourceConfig& config, const std::vector<TableFacts>& tables,
                                                   const PublicationFacts& publication);

// Columns of a table that become part of an event, as far as they exist.
std::vector<std::string> event_columns(const SlotSourceConfig& config, const TableFacts& table);

}  // namespace relay::connectors::postgres
