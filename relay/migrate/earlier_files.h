// Files of an earlier `migrate print`, which a later one goes on from. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/migrate/layout.h"

namespace relay::migrate {

class EarlierFiles {
 public:
  enum class Has { no, same, other };

  // Paths as in layout(); files that are not of a migration are passed over.
  explicit EarlierFiles(const std::vector<File>& files);

  // `fresh`: what layout() makes of this migration alone. Versions, numbers and dependencies may differ.
  Has has(std::string_view name, const std::vector<File>& fresh) const;

  // "db/V7__outbox_relay_outbox.sql" -> "outbox_relay_outbox"; empty: no file of a migration.
  static std::string migration_of(std::string_view path);

  std::size_t number() const;    // the highest that a file begins with; 0: none
  std::string last() const;      // the name of that file without its ending; empty: none
  std::string revision() const;  // of Alembic: the one that no other follows; empty: none

 private:
  std::vector<File> files_;
};

}  // namespace relay::migrate
