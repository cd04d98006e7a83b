// What the database has against what the migrations would make.
#include <algorithm>
#include <map>

#include "relay/migrate/journal.h"
#include "relay/migrate/sql_text.h"

namespace relay::migrate {
namespace {

constexpr std::string_view kSchema = "outbox_relay";
constexpr std::string_view kCopy = "outbox_relay_copy";

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// What a schema holds, one line a thing; its name is written as outbox_relay. No rows; grants to roles are left out,
// since each database has its own. Trigger functions of captured tables are compared by outbox_relay.capture_drift().
const std::string kThings = R"sql(
SELECT pg_catalog.replace(t.thing, $1::text, 'outbox_relay'), pg_catalog.replace(t.text, $1::text, 'outbox_relay')
FROM (
  SELECT 'table ' || c.relname AS thing,
         pg_catalog.concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, pg_catalog.pg_get_partkeydef(c.oid),
                              pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.reloptions) AS text
  FROM pg_catalog.pg_class c
  WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
  SELECT 'column ' || c.relname || '.' || a.attname,
         pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
           || CASE WHEN a.attidentity <> '' THEN ' identity ' || a.attidentity::text ELSE '' END
           || coalesce(' DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')
           || ' as column ' || (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute b  -- the order decides: relay_xid
              WHERE b.attrelid = a.attrelid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped)::text
  FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p')
  UNION ALL
  SELECT 'constraint ' || n.conrelid::regclass::text || ' ' || n.conname, pg_catalog.pg_get_constraintdef(n.oid)
  FROM pg_catalog.pg_constraint n WHERE n.connamespace = $1::text::regnamespace AND n.contype <> 'n'
  UNION ALL
  SELECT 'index ' || i.relname,
         pg_catalog.pg_get_indexdef(i.oid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END
  FROM pg_catalog.pg_class i JOIN pg_catalog.pg_index x ON x.indexrelid = i.oid
  WHERE i.relnamespace = $1::text::regnamespace
  UNION ALL
  SELECT 'sequence ' || c.relname,
         pg_catalog.concat_ws(' ', s.seqtypid::regtype, 'increment', s.seqincrement, 'cache', s.seqcache, s.seqcycle)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  WHERE c.relnamespace = $1::text::regnamespace
  UNION ALL
  SELECT 'trigger ' || t.tgrelid::regclass::text || ' ' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid)
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = $1::text::regnamespace AND NOT t.tgisinternal
  UNION ALL
  SELECT 'function ' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
         pg_catalog.pg_get_functiondef(p.oid)
           || CASE WHEN p.proacl IS NULL OR EXISTS (
                     SELECT FROM pg_catalog.aclexplode(p.proacl) a WHERE a.grantee = 0)
                   THEN ' executable by everybody' ELSE '' END
  FROM pg_catalog.pg_proc p
  WHERE p.pronamespace = $1::text::regnamespace AND p.prokind IN ('f', 'p')
    AND p.prorettype <> 'pg_catalog.trigger'::regtype  -- those of captured tables: capture_drift()
) t ORDER BY 1
)sql";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (auto at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  return out += text;
}

using Things = std::map<std::string, std::string>;

Result<Things> things_of(Database& database, std::string_view schema) {
  RELAY_ASSIGN(const auto rows,
               database.query(kThings, {std::string(schema)}, "look at the schema " + std::string(schema)));
  Things out;
  for (const auto& row : rows) out[row[0].value_or("")] = row[1].value_or("");
  return out;
}

// What the migrations make, made in a schema of another name and rolled back.
Result<Things> things_of_copy(Database& database, const std::vector<const Migration*>& migrations) {
  std::string all = "BEGIN;\n";
  for (const auto* m : migrations) all += replaced(without_transaction(m->up), kSchema, kCopy) + "\n";
  RELAY_TRY(database.script(all, "make a copy of the schema to compare with"));
  auto things = things_of(database, kCopy);
  RELAY_TRY(database.script("ROLLBACK", "roll the copy of the schema back"));
  return things;
}

// A function's text is too long to be shown; a column's or an index's is what one wants to see.
std::string difference(const std::string& thing, const std::string& is, const std::string& should_be) {
  if (thing.starts_with("function ")) return thing + " is another one than this program brings";
  return thing + " is \"" + is + "\", not \"" + should_be + "\"";
}

// The table of `migrate apply` is no migration itself.
bool of_the_journal(const std::string& thing) {
  const auto name = thing.substr(thing.find(' ') + 1);
  return name.starts_with("migration") || name.starts_with("outbox_relay.migration");
}

std::vector<std::string> differences(const Things& is, const Things& should_be) {
  std::vector<std::string> out;
  for (const auto& [thing, text] : should_be) {
    const auto found = is.find(thing);
    if (found == is.end())
      out.push_back(thing + " is missing");
    else if (found->second != text)
      out.push_back(difference(thing, found->second, text));
  }
  for (const auto& [thing, text] : is)
    if (!should_be.contains(thing) && !of_the_journal(thing)) out.push_back(thing + " is not from these migrations");
  return out;
}

}  // namespace

Result<std::vector<std::string>> present(Database& database) {
  RELAY_ASSIGN(const auto rows, database.query(R"(
SELECT 'outbox_relay_' || p.name
FROM (VALUES ('store', 'progress'), ('reader', 'reader'), ('outbox', 'outbox'), ('capture', 'captured')) p(name, made)
WHERE pg_catalog.to_regclass('outbox_relay.' || p.made) IS NOT NULL
UNION ALL
SELECT 'outbox_relay_messages' WHERE EXISTS (
  SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  WHERE n.nspname = 'outbox_relay' AND f.proname = 'emit_message'))",
                                               {}, "look at the schema outbox_relay"));
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row[0].value_or(""));
  return out;
}

Result<std::vector<std::string>> drift(Database& database, const std::vector<Migration>& every_part) {
  RELAY_ASSIGN(const auto there, present(database));
  std::vector<const Migration*> compared;
  for (const auto& m : every_part)
    if (m.own_schema && contains(there, m.name)) compared.push_back(&m);
  if (compared.empty()) return std::vector<std::string>{};
  RELAY_ASSIGN(const auto is, things_of(database, kSchema));
  RELAY_ASSIGN(const auto should_be, things_of_copy(database, compared));
  auto out = differences(is, should_be);
  if (!contains(there, "outbox_relay_capture")) return out;
  RELAY_ASSIGN(const auto rows, database.query("SELECT table_name, problem FROM outbox_relay.capture_drift()", {},
                                               "compare the captured tables"));
  for (const auto& row : rows) out.push_back("captured table " + row[0].value_or("") + ": " + row[1].value_or(""));
  return out;
}

}  // namespace relay::migrate
