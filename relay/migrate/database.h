// The database as migrations need it: one session that stays. Implemented by the connector of the database.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.h"

namespace relay::migrate {

using Row = std::vector<std::optional<std::string>>;

class Database {
 public:
  virtual ~Database() = default;
  // "host:port/dbname", without a secret.
  virtual std::string target() const = 0;
  // One statement; autocommit, or inside the transaction that script("BEGIN") began. Parameters are text.
  virtual Result<std::vector<Row>> query(const std::string& sql,
                                         const std::vector<std::optional<std::string>>& parameters,
                                         std::string_view attempted) = 0;
  // Statements that bring their own BEGIN and COMMIT; rolled back when one fails. An error that a file of sql/ raised
  // carries that file's code and hint.
  virtual Result<void> script(const std::string& text, std::string_view attempted) = 0;
};

}  // namespace relay::migrate
