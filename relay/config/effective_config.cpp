// The values as they are in effect, as YAML that says where each came from.
#include "relay/config/load.h"
#include "relay/config/yaml_text.h"

namespace relay::config {
namespace {

bool is_leaf(const Value& value) {
  if (value.is_map()) return value.entries().empty();
  if (!value.is_list()) return true;
  for (const auto& item : value.items())
    if (!is_leaf(item)) return false;
  return true;
}

std::string origin(const Value& value, bool origins) {
  if (!value.was_written()) return "  # default";
  return origins ? "  # " + value.mark().file + ":" + std::to_string(value.mark().line) : "";
}

void write(const Value& value, std::size_t indent, bool origins, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_list()) {
    for (const auto& item : value.items()) out += margin + "- " + item.display() + origin(item, origins) + "\n";
    return;
  }
  for (const auto& [name, inner] : value.entries()) {
    out += margin + yaml_scalar(name) + ":";
    if (is_leaf(inner)) {
      out += " " + inner.display() + origin(inner, origins) + "\n";
    } else {
      out += "\n";
      write(inner, indent + 2, origins, out);
    }
  }
}

}  // namespace

std::string effective_config(const Value& root, bool origins) {
  std::string out;
  write(root, 0, origins, out);
  return out;
}

}  // namespace relay::config
