// What is known of the relations that the stream names: whether each is an outbox of ours, under which table's name,
// and how its rows map to events. Follows tables that are altered while the relay runs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "connectors/postgres/outbox_mapping.h"
#include "connectors/postgres/pgoutput.h"
#include "connectors/postgres/server_questions.h"
#include "connectors/postgres/table_mapping.h"

namespace relay::connectors::postgres {

struct KnownRelation {
  std::string table;                       // the root's name for a partition: "schema.table"
  bool ours = false;                       // it matches a configured table: an outbox, unless `rows` is set
  bool partitioned = false;                // member or root of a partition tree
  const OutboxMapping* mapping = nullptr;  // set when ours and its columns serve
  const TableMapping* rows = nullptr;      // set when it is a business table of ours and its columns serve
  bool captured = false;                   // it is a business table of ours
  std::optional<Error> refused;            // why its rows cannot be taken: raised when one comes, never before
  std::size_t columns = 0;
  std::size_t id_column = 0;  // where the id column stands, if it is there
};

// What only the catalogs know; asked for a relation that is not known yet.
struct CatalogQuestions {
  std::function<Result<std::vector<RootOf>>()> roots;  // the partition trees
  std::function<Result<RelationDetails>(std::uint32_t relation, const std::vector<std::uint32_t>& types)> details;
};

class Relations {
 public:
  Relations(const SlotSourceConfig& config, CatalogQuestions ask);

  // A new stream sends every relation again before its first row. Mappings stay: events refer to them.
  void begin_stream();

  Result<void> describe(const pgoutput::Relation& relation);

  // Null when the stream has not described it.
  KnownRelation* find(std::uint32_t oid) {
    if (last_ && oid == last_oid_) return last_;
    const auto found = known_.find(oid);
    if (found == known_.end()) return nullptr;
    last_oid_ = oid;
    return last_ = &found->second;
  }

 private:
  Result<std::string> resolve(std::uint32_t oid, const std::string& own_name);
  Result<void> refresh_roots();
  void map_columns(const pgoutput::Relation& relation, KnownRelation& known);
  Result<void> map_rows(const pgoutput::Relation& relation, const TableCapture& capture, KnownRelation& known);

  const SlotSourceConfig& config_;
  CatalogQuestions ask_;
  std::unordered_map<std::uint32_t, std::string> roots_;  // of members of partition trees
  std::unordered_set<std::string> root_names_;
  std::unordered_map<std::uint32_t, KnownRelation> known_;
  std::vector<std::unique_ptr<OutboxMapping>> mappings_;  // all that were ever made
  std::vector<std::unique_ptr<TableMapping>> row_mappings_;
  std::uint32_t last_oid_ = 0;
  KnownRelation* last_ = nullptr;
};

}  // namespace relay::connectors::postgres
