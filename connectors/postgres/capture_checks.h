// Judges what the catalogs say of a business table against the rules that capture it. Pure.
#pragma once

#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {

// `publication` null: there is none.
void check_capture(const SlotSourceConfig& config, const TableCapture& capture, const TableFacts& table,
                   const PublicationFacts* publication, Problems& out);

// The publication has the table, but lacks an operation that a rule waits for.
void check_operations(const SlotSourceConfig& config, const TableCapture& capture, const TableFacts& table,
                      const PublicationFacts& publication, Problems& out);

// Partitions whose replica identity is not their table's: what they send of old rows is labelled by the table's.
Problems mixed_identity_problems(const TableFacts& table);

// Columns that the configuration names, or that identify the aggregate.
std::vector<std::string> named_columns(const TableCapture& capture, const TableFacts& table);

// Columns that an event may need: the named ones, and without a choice of columns all that are published.
std::vector<std::string> captured_columns(const TableCapture& capture, const TableFacts& table,
                                          const PublicationFacts* publication);

// "ALTER TABLE ... REPLICA IDENTITY FULL;"
std::string full_identity_sql(const TableFacts& table);

}  // namespace relay::connectors::postgres
