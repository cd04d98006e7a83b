#include "connectors/postgres/trigger_checks.h"

namespace relay::connectors::postgres {

// The function's text tells where the events go: everybody may read it, while outbox_relay.captured needs a right.
Result<std::vector<SilentTrigger>> silent_triggers(SqlSession& sql, const std::string& prefix) {
  RELAY_ASSIGN(const auto rows, sql.query(R"(
SELECT n.nspname, c.relname, t.tgname, t.tgenabled = 'R',
       strpos(p.prosrc, 'INSERT INTO outbox_relay.outbox ') > 0,
       $1::text <> '' AND strpos(p.prosrc, 'pg_logical_emit_message(true, ' || quote_literal($1::text) || ',') > 0
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace f ON f.oid = p.pronamespace
WHERE f.nspname = 'outbox_relay' AND t.tgname LIKE 'outbox\_relay\_%' AND t.tgenabled IN ('D', 'R')
ORDER BY 1, 2, 3)",
                                          {prefix}, "look for capture triggers that are disabled"));
  const auto is_true = [](const std::optional<std::string>& cell) { return cell == "t"; };
  std::vector<SilentTrigger> out;
  for (const auto& row : rows)
    out.push_back({row[0].value_or(""), row[1].value_or(""), row[2].value_or(""), is_true(row[3]), is_true(row[4]),
                   is_true(row[5])});
  return out;
}

Findings trigger_findings(const SlotSourceConfig& config, const std::vector<SilentTrigger>& triggers) {
  const bool reads_outbox = config.is_outbox("outbox_relay.outbox");
  Findings out;
  for (const auto& t : triggers) {
    const bool delivered = (t.into_outbox && reads_outbox) || (t.into_messages && config.messages);
    if (!delivered) continue;
    out.push_back({Severity::warning, "capture_trigger_disabled", "table " + t.schema + "." + t.table,
                   "the capture trigger " + quote_identifier(t.name) + " on " + t.schema + "." + t.table +
                       (t.replica ? " fires only for what replication applies (ENABLE REPLICA)" : " is disabled") +
                       ": what the application writes there becomes no event, and does not become one later",
                   "ALTER TABLE " + quote_table(t.schema, t.table) + " ENABLE TRIGGER " + quote_identifier(t.name) +
                       ";"});
  }
  return out;
}

Result<Findings> examine_triggers(SqlSession& sql, const SlotSourceConfig& config) {
  RELAY_ASSIGN(const auto triggers, silent_triggers(sql, config.messages ? config.messages->prefix : ""));
  return trigger_findings(config, triggers);
}

}  // namespace relay::connectors::postgres
