// Judges facts about a polled table against the configuration. Pure. What `run` refuses with and `doctor` shows red
// comes from here; poll_doctor.cpp adds what is well, and what is a risk.
#pragma once

#include "connectors/postgres/poll_facts.h"
#include "connectors/postgres/server_questions_checks.h"

namespace relay::connectors::postgres {

// Before anything is asked about a table.
Problems poll_server_problems(const ServerFacts& server);
Problems poll_table_problems(const PollSourceConfig& config, const TablesFacts& facts);
// What makes ids commit-safe, and what reading needs.
Problems poll_problems(const PollSourceConfig& config, const ServerFacts& server, const TableFacts& table,
                       const PollFacts& facts);
// Why the first start would refuse: no choice about existing rows, or rows that cannot be read in an order.
Problems poll_creation_problems(const PollSourceConfig& config, const TableFacts& table, const PollFacts& facts);

}  // namespace relay::connectors::postgres
