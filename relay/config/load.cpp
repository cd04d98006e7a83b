#include "relay/config/load.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "relay/config/validate.h"
#include "relay/config/yaml_document.h"

namespace relay::config {
namespace {

constexpr std::streamsize kReadBytesMax = (1 << 20) + 1;  // one more than allowed, so that too much is seen

std::optional<std::string> read_file(const std::string& file, std::string& why) {
  std::ifstream in(file, std::ios::binary);
  errno = 0;
  std::string text(static_cast<std::size_t>(kReadBytesMax), '\0');
  if (in) in.read(text.data(), kReadBytesMax);
  if (!in.is_open() || in.bad()) {
    why = std::strerror(errno != 0 ? errno : ENOENT);
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

// An anchor that is used several times shows each of its problems once per use.
void drop_repeated(Diagnostics& diagnostics) {
  const auto same = [](const Diagnostic& a, const Diagnostic& b) {
    return a.mark.line == b.mark.line && a.mark.column == b.mark.column && a.mark.file == b.mark.file &&
           a.message == b.message && a.field == b.field;
  };
  diagnostics.erase(std::unique(diagnostics.begin(), diagnostics.end(), same), diagnostics.end());
}

Loaded load_parsed(const std::vector<NamedText>& texts, const FieldSpec& root, const Environment& environment,
                   Diagnostics diagnostics) {
  Loaded loaded;
  NodePool pool;
  const Node* merged = nullptr;
  bool broken = !diagnostics.empty();
  for (const auto& text : texts) {
    const Node* document = parse_yaml(text, pool, diagnostics);
    broken = broken || document->kind == Node::Kind::broken;
    merged = merged == nullptr ? document : merge_nodes(merged, document, pool, diagnostics);
  }
  // Without one of the files, missing fields and merged values would be reported that are right.
  if (merged != nullptr && !broken) loaded.root = validate(*merged, root, environment, diagnostics);
  std::vector<std::string> files;
  for (const auto& text : texts) files.push_back(text.file);
  sort_by_place(diagnostics, files);
  drop_repeated(diagnostics);
  loaded.diagnostics = std::move(diagnostics);
  return loaded;
}

}  // namespace

bool Loaded::has_errors() const {
  return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) { return !d.warning; });
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Loaded load_texts(const std::vector<NamedText>& texts, const FieldSpec& root, const Environment& environment) {
  return load_parsed(texts, root, environment, {});
}

Loaded load(const std::vector<std::string>& files, const FieldSpec& root, const Environment& environment) {
  std::vector<NamedText> texts;
  Diagnostics diagnostics;
  if (files.empty()) diagnostics.push_back({{}, "", "no configuration file", "name one with -c FILE", false});
  for (const auto& file : files) {
    std::string why;
    auto text = read_file(file, why);
    if (text)
      texts.push_back({file, std::move(*text)});
    else
      diagnostics.push_back(
          {{file, 0, 0}, "", "cannot be read: " + why, "look at the path and its permissions", false});
  }
  return load_parsed(texts, root, environment, std::move(diagnostics));
}

}  // namespace relay::config
