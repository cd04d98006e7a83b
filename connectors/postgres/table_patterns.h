// Patterns of table names in the configuration. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relay::connectors::postgres {

// True when "schema.table" matches one of the patterns (`*` and `?`, case-sensitive, no regular expressions). The dot
// between schema and table is matched by a dot only.
bool matches_any(const std::vector<std::string>& patterns, std::string_view schema_and_table);
bool matches_pattern(std::string_view pattern, std::string_view schema_and_table);

}  // namespace relay::connectors::postgres
