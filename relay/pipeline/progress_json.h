// Progress as JSON text: the value in the progress topic and in outbox_relay.progress. LSNs as PostgreSQL prints them.
#pragma once

#include <string>
#include <string_view>

#include "relay/base/result.h"
#include "relay/model/progress.h"

namespace relay {

std::string progress_to_json(const Progress& progress);
// Kind corrupt, code progress_unreadable, when the text is no progress record of this or the previous format version.
Result<Progress> progress_from_json(std::string_view text);

}  // namespace relay
