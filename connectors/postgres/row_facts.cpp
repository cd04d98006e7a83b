#include "connectors/postgres/row_facts.h"

#include <algorithm>
#include <charconv>

namespace relay::connectors::postgres {
namespace {

std::uint32_t oid_of(const std::optional<std::string>& cell) {
  std::uint32_t oid = 0;
  if (cell) std::from_chars(cell->data(), cell->data() + cell->size(), oid);
  return oid;
}

std::string oid_array(const std::vector<std::uint32_t>& oids) {
  std::vector<std::string> texts;
  for (const auto oid : oids) texts.push_back(std::to_string(oid));
  return array_literal(texts);
}

// From a type to its elements, base or attributes, and on. A true array is stored with variable length in category 'A'.
constexpr const char* kTypes = R"(
WITH RECURSIVE needed(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT part.oid FROM needed JOIN pg_type y ON y.oid = needed.oid, LATERAL (
    SELECT y.typelem WHERE y.typelem <> 0
    UNION ALL SELECT y.typbasetype WHERE y.typbasetype <> 0
    UNION ALL SELECT a.atttypid FROM pg_attribute a
              WHERE y.typtype = 'c' AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped) part(oid))
SELECT y.oid, y.typtype, CASE WHEN y.typlen = -1 AND y.typcategory = 'A' THEN y.typelem ELSE 0 END,
       (SELECT e.typdelim FROM pg_type e WHERE e.oid = y.typelem), y.typbasetype, a.attname, a.atttypid
FROM needed JOIN pg_type y ON y.oid = needed.oid
LEFT JOIN pg_attribute a ON y.typtype = 'c' AND a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY y.oid, a.attnum)";

constexpr const char* kIdentities = R"(
WITH RECURSIVE tree(root, oid) AS (
  SELECT r, r FROM unnest($1::oid[]) r
  UNION SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
SELECT tree.root, c.oid, c.relreplident, a.attname
FROM tree JOIN pg_class c ON c.oid = tree.oid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND (c.relreplident = 'd' AND i.indisprimary AND i.indimmediate
                                                OR c.relreplident = 'i' AND i.indisreplident)
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
WHERE c.relkind IN ('r', 'p') ORDER BY 1, 2)";

// One relation's replica identity, as far as it has been read.
struct Identity {
  std::uint32_t relation = 0;
  char kind = 0;
  std::set<std::string> columns;
};

void merge(const Identity& identity, bool first, TableFacts& table) {
  const bool full = identity.kind == 'f';
  if (first) {
    table.identity_full = full;
    table.identity_columns = identity.columns;
    return;
  }
  table.identity_mixed |= full != table.identity_full || (!full && identity.columns != table.identity_columns);
  table.identity_full &= full;
  if (full) return;
  std::erase_if(table.identity_columns, [&](const auto& c) { return !identity.columns.contains(c); });
}

}  // namespace

Result<std::vector<TypeFacts>> type_facts(SqlSession& sql, const std::vector<std::uint32_t>& oids) {
  std::vector<TypeFacts> types;
  if (oids.empty()) return types;
  RELAY_ASSIGN(const auto rows, sql.query(kTypes, {oid_array(oids)}, "look at the types of the captured columns"));
  for (const auto& row : rows) {
    const auto oid = oid_of(row[0]);
    if (types.empty() || types.back().oid != oid) {
      auto& type = types.emplace_back();
      type.oid = oid;
      type.kind = row[1] && !row[1]->empty() ? row[1]->front() : 'b';
      type.element = oid_of(row[2]);
      if (row[3] && !row[3]->empty()) type.delimiter = row[3]->front();
      type.base = oid_of(row[4]);
    }
    if (row[5]) types.back().attributes.push_back({*row[5], oid_of(row[6])});
  }
  return types;
}

Result<void> add_identities(SqlSession& sql, std::vector<TableFacts>& tables) {
  std::vector<std::uint32_t> oids;
  for (const auto& t : tables) oids.push_back(t.table.oid);
  RELAY_ASSIGN(const auto rows, sql.query(kIdentities, {oid_array(oids)}, "look at the tables' replica identities"));
  for (auto& table : tables) {
    Identity open;
    bool first = true;
    const auto close = [&] {
      if (open.relation == 0) return;
      merge(open, first, table);
      first = false;
    };
    for (const auto& row : rows) {
      if (oid_of(row[0]) != table.table.oid) continue;
      if (oid_of(row[1]) != open.relation) {
        close();
        open = Identity{oid_of(row[1]), row[2] && !row[2]->empty() ? row[2]->front() : 'd', {}};
      }
      if (row[3]) open.columns.insert(*row[3]);
    }
    close();
  }
  return {};
}

Result<RelationDetails> relation_details(SqlSession& sql, std::uint32_t relation, const std::vector<std::uint32_t>& types) {
  RelationDetails details;
  RELAY_ASSIGN(const auto root, sql.query("SELECT coalesce(pg_partition_root($1::oid)::oid, $1::oid)",
                                          {std::to_string(relation)}, "look for the root of a partition"));
  RELAY_ASSIGN(details.key, key_of(sql, root.empty() ? relation : oid_of(root.front()[0])));
  RELAY_ASSIGN(details.types, type_facts(sql, types));
  return details;
}

}  // namespace relay::connectors::postgres
