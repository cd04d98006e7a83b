#include "connectors/postgres/relations.h"

#include <algorithm>

namespace relay::connectors::postgres {
namespace {

// Our progress and dead letters come back as changes when a publication names all tables; they are nobody's events.
constexpr std::string_view kOwnSchema = "outbox_relay";

std::vector<ColumnInfo> columns_of(const pgoutput::Relation& relation) {
  std::vector<ColumnInfo> columns;
  for (const auto& column : relation.columns)
    columns.push_back({std::string(column.name), column.type_oid, column.key});
  return columns;
}

std::string name_of(const pgoutput::Relation& relation) {
  const std::string schema(relation.nspname.empty() ? "pg_catalog" : relation.nspname);
  return schema + '.' + std::string(relation.relname);
}

}  // namespace

Relations::Relations(const SlotSourceConfig& config, AskRoots ask_roots)
    : config_(config), ask_roots_(std::move(ask_roots)) {}

void Relations::begin_stream() {
  known_.clear();
  asked_.clear();
  last_ = nullptr;
}

Result<void> Relations::describe(const pgoutput::Relation& relation) {
  const auto own_name = name_of(relation);
  RELAY_ASSIGN(auto table, resolve(relation.oid, own_name));
  KnownRelation known;
  known.ours = matches_any(config_.outbox_tables, table);
  if (!known.ours && matches_any(config_.outbox_tables, own_name)) {
    known.ours = true;
    table = own_name;
  }
  known.partitioned = table != own_name || root_names_.contains(table);
  known.table = std::move(table);
  known.columns = relation.columns.size();
  if (known.ours)
    map_columns(relation, known);
  else if (relation.nspname != kOwnSchema)
    known.refused =
        Error{ErrorKind::fatal, "relation_unmatched",
              "reading a row of table " + own_name + ": publication " + config_.publication +
                  " publishes it, but source.outbox.tables of pipeline " + config_.pipeline + " does not name it",
              "name it in source.outbox.tables, take it out of the publication, or set unmatched_tables: ignore"};
  known_[relation.oid] = std::move(known);
  last_ = nullptr;
  return {};
}

// The name under which a relation is looked up in the configuration. The server is asked when it tells of a relation
// for the first time, and again when its own name says nothing to us: it may have become a partition meanwhile.
Result<std::string> Relations::resolve(std::uint32_t oid, const std::string& own_name) {
  const bool first = asked_.insert(oid).second;
  if (!roots_.contains(oid) && (first || !matches_any(config_.outbox_tables, own_name))) RELAY_TRY(refresh_roots());
  const auto root = roots_.find(oid);
  return root == roots_.end() ? own_name : root->second;
}

// Trees only grow here: rows of a partition that was detached or dropped since may still be on their way.
Result<void> Relations::refresh_roots() {
  RELAY_ASSIGN(const auto roots, ask_roots_());
  for (const auto& [oid, root] : roots) {
    roots_[oid] = root;
    root_names_.insert(root);
  }
  return {};
}

void Relations::map_columns(const pgoutput::Relation& relation, KnownRelation& known) {
  auto columns = columns_of(relation);
  const auto id =
      std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == config_.columns.id; });
  known.id_column = static_cast<std::size_t>(id - columns.begin());
  const auto same = std::find_if(mappings_.begin(), mappings_.end(), [&](const auto& mapping) {
    return mapping->table() == known.table && mapping->columns() == columns;
  });
  if (same != mappings_.end()) {
    known.mapping = same->get();
    return;
  }
  auto made = OutboxMapping::make(config_, known.table, std::move(columns));
  if (!made) {
    known.refused = std::move(made).error();
    return;
  }
  mappings_.push_back(std::move(*made));
  known.mapping = mappings_.back().get();
}

}  // namespace relay::connectors::postgres
