// What the catalogs say about the rows of business tables: types, keys, replica identities.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connectors/postgres/server_questions_facts.h"

namespace relay::connectors::postgres {

// The types, and all that they are made of.
Result<std::vector<TypeFacts>> type_facts(SqlSession& sql, const std::vector<std::uint32_t>& oids);

// Fills in identity_full, identity_mixed and identity_columns.
Result<void> add_identities(SqlSession& sql, std::vector<TableFacts>& tables);

}  // namespace relay::connectors::postgres
