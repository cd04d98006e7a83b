#include "connectors/kafka/template.h"

#include <utility>

#include "relay/config/suggest.h"

namespace relay::connectors::kafka {
namespace {

constexpr std::pair<std::string_view, Role> kRoles[] = {{"aggregate_type", Role::aggregate_type},
                                                        {"aggregate_id", Role::aggregate_id},
                                                        {"event_type", Role::event_type},
                                                        {"id", Role::id},
                                                        {"table", Role::table}};

std::optional<Role> role_of(std::string_view name) {
  for (const auto& [known, role] : kRoles)
    if (known == name) return role;
  return std::nullopt;
}

std::vector<std::string> role_names() {
  std::vector<std::string> names;
  for (const auto& [name, role] : kRoles) names.emplace_back(name);
  names.emplace_back("pipeline");
  return names;
}

Template::Problem unknown_role(std::string_view name) {
  const auto names = role_names();
  if (const auto near = config::nearest(name, names))
    return {"unknown role {" + std::string(name) + "}", "did you mean {" + *near + "}?"};
  return {"unknown role {" + std::string(name) + "}",
          "the roles are " + config::listed(names, "and") + "; write {{ for a brace"};
}

}  // namespace

std::string_view value_of(Role role, const Event& event) {
  switch (role) {
    case Role::aggregate_type: return event.aggregate_type;
    case Role::aggregate_id: return event.aggregate_id;
    case Role::event_type: return event.event_type;
    case Role::id: return event.id;
    case Role::table: return event.source_table;
  }
  return {};
}

Template::Parsed Template::parse(std::string_view text, std::string_view pipeline) {
  Parsed out;
  auto& plain = out.value.suffix_;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      plain += c;
      ++i;
    } else if (c == '}') {
      out.problem = Problem{"a } without its {", "write }} for a brace"};
      return out;
    } else if (c != '{') {
      plain += c;
    } else {
      const auto end = text.find('}', i);
      if (end == std::string_view::npos) {
        out.problem = Problem{"a { without its }", "write {{ for a brace"};
        return out;
      }
      const auto name = text.substr(i + 1, end - i - 1);
      if (name == "pipeline")
        plain += pipeline;
      else if (const auto role = role_of(name))
        out.value.segments_.push_back({std::exchange(plain, {}), *role});
      else {
        out.problem = unknown_role(name);
        return out;
      }
      i = end;
    }
  }
  return out;
}

std::optional<Role> Template::sole_role() const {
  if (segments_.size() != 1 || !segments_[0].before.empty() || !suffix_.empty()) return std::nullopt;
  return segments_[0].role;
}

bool Template::render(const Event& event, std::string& out) const {
  for (const auto& segment : segments_) {
    const auto value = value_of(segment.role, event);
    if (value.data() == nullptr) return false;
    out += segment.before;
    out += value;
  }
  out += suffix_;
  return true;
}

}  // namespace relay::connectors::kafka
