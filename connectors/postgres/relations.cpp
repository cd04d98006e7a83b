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

Relations::Relations(const SlotSourceConfig& config, CatalogQuestions ask) : config_(config), ask_(std::move(ask)) {}

void Relations::begin_stream() {
  known_.clear();
  asked_.clear();
  last_ = nullptr;
}

Result<void> Relations::describe(const pgoutput::Relation& relation) {
  const auto own_name = name_of(relation);
  RELAY_ASSIGN(auto table, resolve(relation.oid, own_name));
  KnownRelation known;
  const auto is_ours = [&](const std::string& name) { return config_.is_outbox(name) || config_.capture_of(name); };
  known.ours = is_ours(table);
  if (!known.ours && is_ours(own_name)) {
    known.ours = true;
    table = own_name;
  }
  known.partitioned = table != own_name || root_names_.contains(table);
  known.table = std::move(table);
  known.columns = relation.columns.size();
  if (const auto* capture = config_.capture_of(known.table))
    RELAY_TRY(map_rows(relation, *capture, known));
  else if (known.ours)
    map_columns(relation, known);
  else if (relation.nspname != kOwnSchema)
    known.refused =
        Error{ErrorKind::fatal, "relation_unmatched",
              "reading a row of table " + own_name + ": publication " + config_.publication +
                  " publishes it, but neither source.outbox.tables nor source.tables of pipeline " + config_.pipeline +
                  " names it",
              "name it there, take it out of the publication, or set unmatched_tables: ignore"};
  known_[relation.oid] = std::move(known);
  last_ = nullptr;
  return {};
}

// The name under which a relation is looked up in the configuration. The server is asked when it tells of a relation
// for the first time, and again when its own name says nothing to us: it may have become a partition meanwhile.
Result<std::string> Relations::resolve(std::uint32_t oid, const std::string& own_name) {
  const bool first = asked_.insert(oid).second;
  if (!roots_.contains(oid) && (first || !(config_.is_outbox(own_name) || config_.capture_of(own_name)))) RELAY_TRY(refresh_roots());
  const auto root = roots_.find(oid);
  return root == roots_.end() ? own_name : root->second;
}

// Trees only grow here: rows of a partition that was detached or dropped since may still be on their way.
Result<void> Relations::refresh_roots() {
  RELAY_ASSIGN(const auto roots, ask_.roots());
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

// The catalogs are asked anew for each description: keys and types may have changed since.
Result<void> Relations::map_rows(const pgoutput::Relation& relation, const TableCapture& capture, KnownRelation& known) {
  known.captured = true;
  const auto dot = known.table.find('.');
  TableShape shape{known.table.substr(0, dot), known.table.substr(dot + 1), columns_of(relation),
                   relation.replica_identity, {}, {}};
  std::vector<std::uint32_t> oids;
  for (const auto& column : shape.columns) oids.push_back(column.type_oid);
  RELAY_ASSIGN(auto details, ask_.details(relation.oid, JsonTypes::not_built_in(oids)));
  shape.types = std::move(details.types);
  shape.key = std::move(details.key);
  if (shape.key.empty() && shape.identity != 'f')  // the table may be gone; its rows still come
    for (const auto& column : shape.columns)
      if (column.key) shape.key.push_back(column.name);
  const auto same = std::find_if(row_mappings_.begin(), row_mappings_.end(),
                                 [&](const auto& mapping) { return mapping->shape() == shape; });
  if (same != row_mappings_.end()) {
    known.rows = same->get();
    return {};
  }
  auto made = TableMapping::make(capture, std::move(shape));
  if (!made) {
    known.refused = std::move(made).error();
    return {};
  }
  row_mappings_.push_back(std::move(*made));
  known.rows = row_mappings_.back().get();
  return {};
}

}  // namespace relay::connectors::postgres
