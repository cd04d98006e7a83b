#include "connectors/postgres/slot_source_config.h"

#include "connectors/postgres/table_patterns.h"

namespace relay::connectors::postgres {

std::vector<std::string> SlotSourceConfig::table_patterns() const {
  auto patterns = outbox_tables;
  for (const auto& capture : tables) patterns.push_back(capture.table);
  return patterns;
}

bool SlotSourceConfig::is_outbox(std::string_view table) const { return matches_any(outbox_tables, table); }

const TableCapture* SlotSourceConfig::capture_of(std::string_view table) const {
  if (is_outbox(table) || table.starts_with("outbox_relay.")) return nullptr;  // progress would feed itself
  for (const auto& capture : tables)
    if (matches_pattern(capture.table, table)) return &capture;
  return nullptr;
}

}  // namespace relay::connectors::postgres
