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

// The key by which rows written under this description belong together: the catalogs tell of today, the rows may be
// older than a change of the primary key, and the table may even be gone. With identity DEFAULT the stream says which
// columns the primary key had then, though not their order; of a partition it says what the partition's is.
std::vector<std::string> key_then(const pgoutput::Relation& relation, std::vector<std::string> today, bool is_root) {
  std::vector<std::string> then;
  for (const auto& column : relation.columns)
    if (column.key) then.emplace_back(column.name);
  const bool says_primary_key = relation.replica_identity == 'd' && is_root && !then.empty();
  const bool is_gone = today.empty() && relation.replica_identity != 'f';
  if (is_gone || (says_primary_key && !std::is_permutation(then.begin(), then.end(), today.begin(), today.end()))) return then;
  return today;
}

std::string name_of(const pgoutput::Relation& relation) {
  const std::string schema(relation.nspname.empty() ? "pg_catalog" : relation.nspname);
  return schema + '.' + std::string(relation.relname);
}

}  // namespace

Relations::Relations(const SlotSourceConfig& config, CatalogQuestions ask) : config_(config), ask_(std::move(ask)) {}

void Relations::begin_stream() {
  known_.clear();
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

// The name under which a relation is looked up in the configuration. The server is asked at each description of one
// that is no partition as far as we know: it may have become one meanwhile.
Result<std::string> Relations::resolve(std::uint32_t oid, const std::string& own_name) {
  if (!roots_.contains(oid)) RELAY_TRY(refresh_roots());
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
  shape.key = key_then(relation, std::move(details.key), known.table == name_of(relation));
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
