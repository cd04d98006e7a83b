// Which JSON a type of this database gives: what the catalogs say of a type -> JsonType. Pure, no I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "connectors/postgres/json_value.h"

namespace relay::connectors::postgres {

// One row of pg_type, as far as it matters here.
struct TypeFacts {
  struct Attribute {
    std::string name;
    std::uint32_t type_oid = 0;

    bool operator==(const Attribute&) const = default;
  };
  bool operator==(const TypeFacts&) const = default;

  std::uint32_t oid = 0;
  char kind = 'b';               // typtype: base, composite, domain, enum, range, multirange, pseudo
  std::uint32_t element = 0;     // of an array: the type of its elements; otherwise 0
  char delimiter = ',';          // of that type
  std::uint32_t base = 0;        // of a domain
  std::vector<Attribute> attributes;
};

// Immutable; what find() gave stays valid as long as this lives.
class JsonTypes {
 public:
  explicit JsonTypes(const std::vector<TypeFacts>& facts = {});

  // The types for which the catalogs must be asked, with all that they are made of.
  static std::vector<std::uint32_t> not_built_in(const std::vector<std::uint32_t>& oids);

  // A type that nobody knows is text.
  const JsonType* find(std::uint32_t oid) const;

 private:
  using FactsByOid = std::unordered_map<std::uint32_t, const TypeFacts*>;
  const JsonType* resolve(std::uint32_t oid, const FactsByOid& facts, int depth);

  std::unordered_map<std::uint32_t, std::unique_ptr<JsonType>> types_;
};

}  // namespace relay::connectors::postgres
