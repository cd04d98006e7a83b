#include "relay/app/configuration.h"

#include <algorithm>
#include <map>

#include "relay/app/root_spec.h"
#include "relay/config/suggest.h"

namespace relay::app {
namespace {

using config::Diagnostics;
using config::Value;

bool any_error(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const auto& d) { return !d.warning; });
}

void add(Diagnostics& out, const Value& at, std::string field, std::string message, std::string hint) {
  out.push_back({at.mark(), std::move(field), std::move(message), std::move(hint), false});
}

std::string counted(std::size_t n, std::string_view word) {
  return std::to_string(n) + " " + std::string(word) + (n == 1 ? "" : "s");
}

void check_database(const Value& database, Diagnostics& out) {
  if (database["password_file"] && database["password_command"])
    add(out, database["password_command"], "database.password_command",
        "both password_file and password_command are set", "keep one of them");
}

void check_on_reject(const Value& pipeline, const std::string& path, Diagnostics& out) {
  const auto& on_reject = pipeline["on_reject"];
  const auto& dead_letter = on_reject["dead_letter"];
  if (!dead_letter) return;
  const bool table = dead_letter["table"] && dead_letter["table"].as_bool();
  const auto field = path + ".on_reject";
  if (on_reject["action"])
    add(out, on_reject["action"], field, "both halt and dead_letter", "write on_reject: halt, or {dead_letter: ...}");
  if (table == dead_letter["topic"].has_value())
    add(out, dead_letter, field + ".dead_letter",
        table ? "both a topic and the table" : "neither a topic nor the table", "write {topic: NAME} or {table: true}");
}

// What a component says about its part; it need not know where in the file that stands.
void check_part(const connectors::Validate& validate, const Value& part, const Value& pipeline, const std::string& path,
                Diagnostics& out) {
  if (!validate) return;
  Diagnostics found;
  validate(part, pipeline, found);
  for (auto& diagnostic : found) {
    if (diagnostic.field.rfind("pipelines.", 0) != 0) diagnostic.field = path + "." + diagnostic.field;
    out.push_back(std::move(diagnostic));
  }
}

void check_pipeline(const PipelineConfig& pipeline, Diagnostics& out) {
  const auto path = "pipelines." + pipeline.name;
  const auto& value = *pipeline.value;
  check_on_reject(value, path, out);
  const auto& policy = value["policy"];
  if (policy["mode"].has_value() == policy["file"].has_value())
    add(out, policy, path + ".policy", policy["mode"] ? "both none and a file" : "neither none nor a file",
        "write policy: none, or policy: {file: FILE}");
  if (pipeline.sink->outside_boundary && policy["mode"])
    add(out, value["policy"], path + ".policy",
        "the sink " + pipeline.sink->name + " is outside the boundary and would get every field of every row",
        "name what may leave in a policy: policy: {file: FILE}");
  check_part(pipeline.source->validate, value["source"], value, path, out);
  check_part(pipeline.sink->validate, value["sink"], value, path, out);
}

// The slot is a pipeline's place and lock. Defaults differ by the pipeline's name, so only written ones can meet.
void check_slots(const std::vector<PipelineConfig>& pipelines, Diagnostics& out) {
  std::map<std::string, std::string> owners;
  for (const auto& pipeline : pipelines) {
    const auto& fields = pipeline.source->fields;
    if (std::none_of(fields.begin(), fields.end(), [](const auto& f) { return f.name == "slot"; })) continue;
    const auto& slot = (*pipeline.value)["source"]["slot"];
    const auto name = slot && slot.was_written() ? slot.as_string() : "outbox_relay_" + pipeline.name;
    const auto [owner, fresh] = owners.emplace(name, pipeline.name);
    if (!fresh)
      add(out, slot.was_written() ? slot : *pipeline.value, "pipelines." + pipeline.name + ".source.slot",
          "the slot " + name + " belongs to the pipeline " + owner->second + " already",
          "give each pipeline a slot of its own; without `slot` it is outbox_relay_" + pipeline.name);
  }
}

// Several pipelines may have the same policy: its problems are told once.
void load_policies(std::vector<PipelineConfig>& pipelines, const config::Environment& environment, Diagnostics& out,
                   std::vector<std::string>& files) {
  std::map<std::string, std::shared_ptr<const policy::PolicyText>> loaded;
  for (auto& pipeline : pipelines) {
    const auto& file = (*pipeline.value)["policy"]["file"];
    if (!file) continue;
    const auto [at, fresh] = loaded.emplace(file.as_string(), nullptr);
    if (fresh) {
      auto policy = policy::load_policy(file.as_string(), environment);
      out.insert(out.end(), policy.diagnostics.begin(), policy.diagnostics.end());
      files.push_back(file.as_string());
      at->second = std::make_shared<const policy::PolicyText>(std::move(policy.policy));
    }
    pipeline.policy = at->second;
  }
}

std::vector<PipelineConfig> pipelines_of(const Value& root, const std::vector<connectors::Component>& catalog) {
  std::vector<PipelineConfig> pipelines;
  for (const auto& [name, value] : root["pipelines"].entries())
    pipelines.push_back({name, &value, &source_spec(catalog, value["source"]["type"].as_string()),
                         &sink_spec(catalog, value["sink"]["type"].as_string()), nullptr});
  return pipelines;
}

}  // namespace

bool Configuration::has_errors() const { return any_error(diagnostics); }

Configuration check_configuration(config::Loaded loaded, const std::vector<std::string>& files,
                                  const std::vector<connectors::Component>& catalog,
                                  const config::Environment& environment) {
  Configuration out;
  out.environment = environment;
  auto all_files = files;
  out.root = std::make_shared<const Value>(std::move(loaded.root));
  out.diagnostics = std::move(loaded.diagnostics);
  // The checks across parts rely on fields that are there and of their type.
  if (out.has_errors()) return out;
  out.pipelines = pipelines_of(*out.root, catalog);
  check_database(out.database(), out.diagnostics);
  for (const auto& pipeline : out.pipelines) check_pipeline(pipeline, out.diagnostics);
  check_slots(out.pipelines, out.diagnostics);
  load_policies(out.pipelines, environment, out.diagnostics, all_files);
  config::sort_by_place(out.diagnostics, all_files);
  if (out.has_errors()) out.pipelines.clear();
  return out;
}

Configuration load_configuration(const std::vector<std::string>& files, const config::Environment& environment,
                                 const std::vector<connectors::Component>& catalog) {
  return check_configuration(config::load(files, root_spec(catalog), environment), files, catalog, environment);
}

tl::expected<void, std::string> select_pipelines(Configuration& configuration, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& pipeline : configuration.pipelines) known.push_back(pipeline.name);
  for (const auto& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return tl::unexpected("there is no pipeline " + name + "\n  hint: " + config::suggestion(name, known));
  if (names.empty()) return {};
  std::erase_if(configuration.pipelines,
                [&](const PipelineConfig& p) { return std::find(names.begin(), names.end(), p.name) == names.end(); });
  return {};
}

std::string report(const Diagnostics& diagnostics) {
  std::string out;
  std::size_t errors = 0;
  for (const auto& diagnostic : diagnostics) {
    out += diagnostic.text() + "\n";
    errors += diagnostic.warning ? 0 : 1;
  }
  const auto warnings = diagnostics.size() - errors;
  if (errors != 0) out += counted(errors, "error");
  if (warnings != 0) out += (errors != 0 ? " and " : "") + counted(warnings, "warning");
  return out + (diagnostics.empty() ? "" : "\n");
}

}  // namespace relay::app
