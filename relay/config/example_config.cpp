// The specification as a commented configuration: what is required or usual is written, the rest stands commented out with its
// default. Of a variant the first is shown, the others are named.
#include <algorithm>

#include "relay/config/load.h"
#include "relay/config/suggest.h"

namespace relay::config {
namespace {

constexpr std::size_t kWidth = 100;

using Lines = std::vector<std::string>;

void append(Lines& to, const Lines& lines, const std::string& prefix) {
  for (const auto& line : lines) to.push_back(prefix + line);
}

Lines comment(const std::string& text) {
  Lines out{"#"};
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    if (out.back().size() > 1 && out.back().size() + (end - at) > kWidth) out.emplace_back("#");
    out.back() += " " + text.substr(at, end - at);
    at = end + 1;
  }
  return out;
}

// A default, an example or a choice in one line: something that loads.
std::string sample(const FieldSpec& spec) {
  if (!spec.example.empty() && spec.type != FieldType::map) return spec.example;
  if (spec.default_text && !spec.default_text->empty()) return *spec.default_text;
  if (!spec.choices.empty()) return spec.choices.front();
  for (const auto& f : spec.fields)
    if (f.name == spec.shorthand) return sample(f);
  switch (spec.type) {
    case FieldType::boolean:
      return "false";
    case FieldType::integer:
      return std::to_string(spec.min.value_or(1));
    case FieldType::duration:
      return "10s";
    case FieldType::size:
      return "1MiB";
    case FieldType::list:
      return "[" + sample(*spec.element) + "]";
    case FieldType::map:
      return spec.example.empty() ? "{}" : spec.example;
    case FieldType::object:
    case FieldType::variant:
      return "{}";
    case FieldType::string:
    case FieldType::secret:
    case FieldType::path:
      break;
  }
  return "name";
}

// `commented`: what it stands in is commented out already.
Lines field(const FieldSpec& spec, bool commented);

Lines children(const std::vector<FieldSpec>& fields, bool commented) {
  Lines out;
  for (const auto& f : fields) append(out, field(f, commented), "");
  return out;
}

Lines variant(const FieldSpec& spec, bool commented) {
  Lines out;
  for (const auto& v : spec.variants) append(out, comment("type " + v.name + ": " + v.summary), "");
  out.push_back("type: " + spec.variants.front().name);
  append(out, children(spec.variants.front().fields, commented), "");
  return out;
}

bool in_one_line(const FieldSpec& spec) {
  if (spec.type == FieldType::object) return sample(spec) != "{}";
  if (spec.type == FieldType::variant) return false;
  return spec.type != FieldType::map || spec.element->type != FieldType::object;
}

bool is_comment(const std::string& line) { return line.find_first_not_of(' ') == line.find('#'); }

Lines field(const FieldSpec& spec, bool commented) {
  const bool hidden = commented || (!spec.required && !spec.usual);
  Lines written;
  if (in_one_line(spec)) {
    written.push_back(spec.name + ": " + sample(spec));
  } else {
    written.push_back(spec.name + ":");
    if (spec.type == FieldType::map) {
      written.push_back("  " + (spec.example.empty() ? "name" : spec.example) + ":");
      append(written, children(spec.element->fields, hidden), "    ");
    } else {
      append(written, spec.type == FieldType::variant ? variant(spec, hidden) : children(spec.fields, hidden), "  ");
    }
    // All children optional: the key alone would have no value.
    if (std::all_of(written.begin() + 1, written.end(), is_comment)) written[0] += " {}";
  }
  // A field that is commented out is so as a whole: taking one "# " away from its lines makes it valid.
  Lines out = comment(spec.description + (spec.choices.empty() ? "" : " One of " + listed(spec.choices) + "."));
  append(out, written, hidden && !commented ? "# " : "");
  return out;
}

}  // namespace

std::string example_config(const FieldSpec& root) {
  std::string out =
      "# Every field of outbox-relay.yaml. What is commented out is optional and shows its default or an example.\n"
      "# `outbox-relay check -c FILE` says what is wrong with a file, `outbox-relay config reference` explains "
      "more.\n\n";
  for (const auto& line : children(root.fields, false)) out += line + "\n";
  return out;
}

}  // namespace relay::config
