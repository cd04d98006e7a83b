// The specification as a JSON Schema (draft 2020-12), so that editors complete and check the file while it is written.
// It accepts a little more than the loader: any text with a ${ in it may stand where a number or a choice is expected.
#include <nlohmann/json.hpp>

#include "relay/config/load.h"
#include "relay/config/scalar.h"
#include "relay/config/validate.h"

namespace relay::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kVariablePattern = "\\$\\{";

Json or_variable(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), {{"type", "string"}, {"pattern", kVariablePattern}}})}};
}

Json any_scalar() { return {{"type", Json::array({"string", "number", "boolean"})}}; }

Json schema_of(const FieldSpec& spec);

// `type_name`: of a variant, or empty.
Json schema_of_fields(const std::vector<FieldSpec>& fields, const std::string& type_name) {
  Json properties = Json::object();
  Json required = Json::array();
  if (!type_name.empty()) {
    properties["type"] = {{"const", type_name}};
    required.push_back("type");
  }
  for (const auto& f : fields) {
    properties[f.name] = schema_of(f);
    if (f.required && !f.default_text) required.push_back(f.name);
  }
  Json out{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

Json schema_of_text(const FieldSpec& spec) {
  if (!spec.choices.empty()) return or_variable({{"enum", spec.choices}});
  if (!spec.pattern.empty()) return or_variable({{"type", "string"}, {"pattern", "^(?:" + spec.pattern + ")$"}});
  return any_scalar();
}

Json schema_of_integer(const FieldSpec& spec) {
  Json out{{"type", "integer"}};
  if (spec.min) out["minimum"] = *spec.min;
  if (spec.max) out["maximum"] = *spec.max;
  return or_variable(std::move(out));
}

// if/then instead of oneOf: an editor then names the field that is wrong, not every variant that does not match.
Json schema_of_variant(const FieldSpec& spec) {
  Json names = Json::array();
  Json branches = Json::array();
  for (const auto& v : spec.variants) {
    names.push_back(v.name);
    branches.push_back({{"if", {{"properties", {{"type", {{"const", v.name}}}}}, {"required", Json::array({"type"})}}},
                        {"then", schema_of_fields(v.fields, v.name)}});
  }
  return {{"type", "object"},
          {"required", Json::array({"type"})},
          {"properties", {{"type", {{"enum", std::move(names)}}}}},
          {"allOf", std::move(branches)}};
}

Json bare_schema(const FieldSpec& spec) {
  switch (spec.type) {
    case FieldType::boolean:
      return or_variable({{"type", "boolean"}});
    case FieldType::integer:
      return schema_of_integer(spec);
    case FieldType::duration:
      return or_variable({{"type", "string"}, {"pattern", "^[0-9]+(ms|s|m|h|d)$"}});
    case FieldType::size:
      return or_variable({{"type", "string"}, {"pattern", "^[0-9]+([kMGT]?B|[KMGT]iB)$"}});
    case FieldType::string:
      return schema_of_text(spec);
    case FieldType::secret:
    case FieldType::path:
      return any_scalar();
    case FieldType::list:
      if (spec.one_is_enough)
        return {{"anyOf", Json::array({schema_of(*spec.element), {{"type", "array"}, {"items", schema_of(*spec.element)}}})}};
      return {{"type", "array"}, {"items", schema_of(*spec.element)}};
    case FieldType::map: {
      Json out{{"type", "object"}, {"additionalProperties", schema_of(*spec.element)}};
      if (!spec.key_pattern.empty()) out["propertyNames"] = {{"pattern", "^(?:" + spec.key_pattern + ")$"}};
      if (spec.required) out["minProperties"] = 1;
      return out;
    }
    case FieldType::object: {
      auto longhand = schema_of_fields(spec.fields, "");
      for (const auto& f : spec.fields)
        if (f.name == spec.shorthand) return {{"anyOf", Json::array({schema_of(f), std::move(longhand)})}};
      return longhand;
    }
    case FieldType::variant:
      return schema_of_variant(spec);
  }
  return Json::object();
}

Json json_of(const Node& node) {
  if (node.kind == Node::Kind::list) {
    Json out = Json::array();
    for (const auto* item : node.items) out.push_back(json_of(*item));
    return out;
  }
  if (node.kind == Node::Kind::map) {
    Json out = Json::object();
    for (const auto& entry : node.entries) out[entry.key] = json_of(*entry.value);
    return out;
  }
  const bool literal = !node.quoted && Json::accept(node.text);
  return literal ? Json::parse(node.text) : Json(node.text);
}

Json schema_of(const FieldSpec& spec) {
  Json out = bare_schema(spec);
  if (spec.null_text) out = {{"anyOf", Json::array({std::move(out), {{"type", "null"}}})}};
  if (!spec.description.empty()) out["description"] = spec.description;
  NodePool pool;
  Diagnostics ignored;
  const auto parsed = [&](const std::string& yaml) { return json_of(*parse_yaml_fragment({"", yaml}, pool, ignored)); };
  if (spec.default_text) out["default"] = parsed(*spec.default_text);
  if (!spec.example.empty() && spec.type != FieldType::map) out["examples"] = Json::array({parsed(spec.example)});
  return out;
}

}  // namespace

std::string json_schema(const FieldSpec& root) {
  Json out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Configuration of outbox-relay"}};
  out.update(schema_of(root));
  out["patternProperties"] = {{"^" + std::string(kExtensionPrefix), {{"description", "Free, for anchors."}}}};
  return out.dump(2) + "\n";
}

}  // namespace relay::config
