// One event as one line of JSON. Pure; the grammar, with an example, is in README.md.
#pragma once

#include <cstddef>
#include <string>

#include "relay/base/result.h"
#include "relay/model/batch.h"

namespace relay::connectors::file {

// Appends the line with its '\n' to `out`.
void append_event_line(const Event& event, std::string& out);

// Fills the empty `out` with the lines of the batch's events from `next` on, which it moves, until it holds `enough`
// bytes or there are no more; parked and blocked events are left out. Fails with code dead_letter_unsupported for an event that is
// to go to a dead letter topic.
Result<void> fill_with_lines(const Batch& batch, std::size_t& next, std::size_t enough, std::string& out);

}  // namespace relay::connectors::file
