#include "connectors/postgres/json_types.h"

namespace relay::connectors::postgres {
namespace {

constexpr int kDeepest = 64;

struct BuiltIn {
  std::uint32_t oid;
  JsonType::Kind kind;
};
// pg_type.dat; the types of most columns, so that the catalogs need not be asked for them.
constexpr BuiltIn kBuiltIn[] = {
    {16, JsonType::Kind::boolean},      {17, JsonType::Kind::text},     {18, JsonType::Kind::text},
    {19, JsonType::Kind::text},         {20, JsonType::Kind::number},   {21, JsonType::Kind::number},
    {23, JsonType::Kind::number},       {25, JsonType::Kind::text},     {26, JsonType::Kind::text},
    {114, JsonType::Kind::json},        {700, JsonType::Kind::number},  {701, JsonType::Kind::number},
    {1042, JsonType::Kind::text},       {1043, JsonType::Kind::text},   {1082, JsonType::Kind::text},
    {1083, JsonType::Kind::text},       {1114, JsonType::Kind::timestamp}, {1184, JsonType::Kind::timestamptz},
    {1186, JsonType::Kind::text},       {1266, JsonType::Kind::text},   {1700, JsonType::Kind::number},
    {2950, JsonType::Kind::text},       {3802, JsonType::Kind::json},
};
constexpr std::uint32_t kInt2 = 21, kInt2Vector = 22, kOid = 26, kOidVector = 30;

const JsonType kText{};

std::unordered_map<std::uint32_t, std::unique_ptr<JsonType>> built_in_types() {
  std::unordered_map<std::uint32_t, std::unique_ptr<JsonType>> types;
  for (const auto& [oid, kind] : kBuiltIn) {
    types[oid] = std::make_unique<JsonType>();
    types[oid]->kind = kind;
  }
  for (const auto& [oid, element] : {std::pair{kInt2Vector, kInt2}, {kOidVector, kOid}}) {
    types[oid] = std::make_unique<JsonType>();
    types[oid]->kind = JsonType::Kind::vector;
    types[oid]->element = types[element].get();
  }
  return types;
}

}  // namespace

JsonTypes::JsonTypes(const std::vector<TypeFacts>& facts) : types_(built_in_types()) {
  FactsByOid by_oid;
  for (const auto& f : facts) by_oid[f.oid] = &f;
  for (const auto& f : facts) resolve(f.oid, by_oid, 0);
}

std::vector<std::uint32_t> JsonTypes::not_built_in(const std::vector<std::uint32_t>& oids) {
  static const auto built_in = built_in_types();
  std::vector<std::uint32_t> out;
  for (const auto oid : oids)
    if (!built_in.contains(oid)) out.push_back(oid);
  return out;
}

const JsonType* JsonTypes::find(std::uint32_t oid) const {
  const auto at = types_.find(oid);
  return at == types_.end() ? &kText : at->second.get();
}

const JsonType* JsonTypes::resolve(std::uint32_t oid, const FactsByOid& facts, int depth) {
  if (const auto known = types_.find(oid); known != types_.end()) return known->second.get();
  const auto at = facts.find(oid);
  if (at == facts.end() || depth > kDeepest) return &kText;
  const auto& f = *at->second;
  auto type = std::make_unique<JsonType>();
  if (f.base != 0) {
    *type = *resolve(f.base, facts, depth + 1);
  } else if (f.element != 0) {
    type->kind = JsonType::Kind::array;
    type->delimiter = f.delimiter;
    type->element = resolve(f.element, facts, depth + 1);
  } else if (f.kind == 'c') {
    type->kind = JsonType::Kind::composite;
    for (const auto& a : f.attributes) type->attributes.push_back({a.name, resolve(a.type_oid, facts, depth + 1)});
  }
  return (types_[oid] = std::move(type)).get();
}

}  // namespace relay::connectors::postgres
