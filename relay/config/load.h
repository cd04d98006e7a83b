// YAML files -> one validated tree. Pure but for reading the files and the environment it is given.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "relay/config/diagnostic.h"
#include "relay/config/field.h"
#include "relay/config/value.h"

namespace relay::config {

struct Loaded {
  Value root;               // of the object spec that was given; meaningless when there are errors
  Diagnostics diagnostics;  // in order of file, line, column
  bool has_errors() const;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Several files merge in order: maps by key, everything else is replaced by the later one. An unreadable file is a
// diagnostic like any other.
Loaded load(const std::vector<std::string>& files, const FieldSpec& root, const Environment& environment);

// The same over texts, for tests and for `config example`.
struct NamedText {
  std::string file;
  std::string text;
};
Loaded load_texts(const std::vector<NamedText>& texts, const FieldSpec& root, const Environment& environment);

// The effective configuration as YAML: what was written and what is a default, secrets as ***, ${VAR}s unreplaced. With
// `origins` each value says the file and line it came from.
std::string effective_config(const Value& root, bool origins);

// Generated from the specification.
std::string json_schema(const FieldSpec& root);     // draft 2020-12, for editors
std::string reference_page(const FieldSpec& root);  // Markdown
std::string example_config(const FieldSpec& root);  // commented YAML that loads without a diagnostic

}  // namespace relay::config
