// One event as one line of JSON. Pure; the grammar, with an example, is in README.md.
#pragma once

#include <string>

#include "relay/model/event.h"

namespace relay::connectors::file {

// Appends the line with its '\n' to `out`.
void append_event_line(const Event& event, std::string& out);

}  // namespace relay::connectors::file
