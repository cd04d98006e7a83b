#include "relay/policy/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "relay/policy/code_points.h"

namespace relay::policy {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

const Row kHead{"field", "leaves as", "class", "rule", "seen", "types", "different values", "detected"};

std::string types_of(const FieldSeen& field) {
  std::string out;
  for (const char type : field.types) {
    const char* const name = type == 's'   ? "text"
                             : type == 'd' ? "number"
                             : type == 'b' ? "boolean"
                             : type == 'n' ? "null"
                             : type == 'o' ? "object"
                                           : "array";
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  return out;
}

std::string action_of(const FieldSeen& field) {
  if (!field.leaves) return "-";
  return field.rule == nullptr ? "keep" : std::string(to_string(field.rule->action));
}

std::string distinct_of(const FieldSeen& field) {
  const auto n = std::to_string(field.distinct.size());
  return field.distinct.size() < FieldSeen::kDistinctMax ? n : n + " or more";
}

std::string hits_of(const FieldSeen& field) {
  std::string out;
  for (const auto& [name, count] : field.hits) out += (out.empty() ? "" : ", ") + name + " " + std::to_string(count);
  return out;
}

Row row_of(const FieldSeen& field) {
  return {field.name,
          action_of(field),
          field.rule != nullptr ? field.rule->data_class : "",
          field.rule_name,
          std::to_string(field.count),
          types_of(field),
          distinct_of(field),
          hits_of(field)};
}

std::string head_of(const KindSeen& kind) {
  std::string out = kind.name + ": " + std::to_string(kind.events) + " events";
  if (kind.block == nullptr) return out + ", blocked";
  out += ", events at line " + std::to_string(kind.block->mark.line) + " of the policy";
  if (kind.unreadable > 0) out += ", " + std::to_string(kind.unreadable) + " with a payload that is rejected";
  return out;
}

std::string as_text(const Survey& survey) {
  std::string out;
  for (const auto& kind : survey.kinds) {
    std::vector<Row> rows{kHead};
    for (const auto& field : kind.fields) rows.push_back(row_of(field));
    std::vector<std::size_t> widths(kHead.size());
    for (const auto& row : rows)
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], count_characters(row[i]));
    out += head_of(kind) + "\n";
    for (const auto& row : rows) {
      std::string line = " ";
      for (std::size_t i = 0; i < row.size(); ++i)
        line += " " + row[i] + std::string(widths[i] - count_characters(row[i]) + 1, ' ');
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    out += "\n";
  }
  return out;
}

std::string in_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '*' || c == '_' || c == '<' || c == '`') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string as_markdown(const Survey& survey, const std::string& file) {
  std::string out =
      "# What leaves under " + in_cell(file) + "\n\nFrom a sample of " + std::to_string(survey.events) + " events.\n";
  for (const auto& kind : survey.kinds) {
    out += "\n## " + in_cell(head_of(kind)) + "\n\n";
    const auto add = [&](const Row& row) {
      for (const auto& cell : row) out += "| " + in_cell(cell) + " ";
      out += "|\n";
    };
    add(kHead);
    out += "| --- | --- | --- | --- | ---: | --- | ---: | --- |\n";
    for (const auto& field : kind.fields) add(row_of(field));
  }
  return out;
}

std::string as_json(const Survey& survey, const std::string& file) {
  Json out{{"policy", file}, {"events", survey.events}, {"kinds", Json::array()}};
  for (const auto& kind : survey.kinds) {
    Json fields = Json::array();
    for (const auto& field : kind.fields)
      fields.push_back({{"field", field.name},
                        {"leaves", field.leaves},
                        {"action", action_of(field)},
                        {"class", field.rule != nullptr ? field.rule->data_class : ""},
                        {"rule", field.rule_name},
                        {"seen", field.count},
                        {"nulls", field.nulls},
                        {"types", types_of(field)},
                        {"different_values", field.distinct.size()},
                        {"detected", field.hits}});
    out["kinds"].push_back({{"kind", kind.name},
                            {"events", kind.events},
                            {"blocked", kind.block == nullptr},
                            {"line", kind.block != nullptr ? kind.block->mark.line : 0},
                            {"unreadable", kind.unreadable},
                            {"fields", std::move(fields)}});
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string report(const Survey& survey, const std::string& policy_file, ReportForm form) {
  switch (form) {
    case ReportForm::json: return as_json(survey, policy_file);
    case ReportForm::markdown: return as_markdown(survey, policy_file);
    case ReportForm::text: break;
  }
  return as_text(survey);
}

}  // namespace relay::policy
