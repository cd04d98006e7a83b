// The .sql files of this folder, as text inside the program: what `psql -f` runs is what the relay runs.
#pragma once

#include <string_view>

namespace relay::sql {

// The text of one file, named as in this folder ("store_tables.sql"). The name must be one of them.
std::string_view file(std::string_view name);

}  // namespace relay::sql
