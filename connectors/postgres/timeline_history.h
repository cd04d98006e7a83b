// The content of a timeline history file: one line "parent timeline <TAB> switch point <TAB> reason" for each timeline
// before it. https://www.postgresql.org/docs/current/protocol-replication.html (TIMELINE_HISTORY)
#pragma once

#include <string_view>
#include <vector>

#include "relay/base/result.h"
#include "relay/pipeline/source.h"

namespace relay::connectors::postgres {

// Kind corrupt, code timeline_history_unreadable, when a line is neither empty, a comment, nor an entry.
Result<std::vector<TimelineSwitch>> parse_timeline_history(std::string_view text);

}  // namespace relay::connectors::postgres
