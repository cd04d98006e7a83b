#include "relay/config/validate.h"

#include <algorithm>
#include <cctype>

#include "relay/config/pattern.h"
#include "relay/config/scalar.h"
#include "relay/config/suggest.h"

namespace relay::config {
namespace {

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

std::vector<std::string> names_of(const std::vector<FieldSpec>& fields) {
  std::vector<std::string> names;
  for (const auto& f : fields) names.push_back(f.name);
  return names;
}

std::vector<std::string> names_of(const std::vector<Variant>& variants) {
  std::vector<std::string> names;
  for (const auto& v : variants) names.push_back(v.name);
  return names;
}

// Free maps (librdkafka options) may carry a password under its foreign name.
bool key_names_a_secret(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto has = [&](std::string_view word) { return lower.find(word) != std::string::npos; };
  return has("password") || has("secret") || has("token") || has("passphrase") || has(".key.pem");
}

// Text that stands where such a field is expected may be the secret itself, as in `database: postgresql://...`.
bool holds_secret(const FieldSpec& spec) {
  const auto any = [](const std::vector<FieldSpec>& fields) {
    return std::any_of(fields.begin(), fields.end(), holds_secret);
  };
  return spec.type == FieldType::secret || (spec.element && holds_secret(*spec.element)) || any(spec.fields) ||
         std::any_of(spec.variants.begin(), spec.variants.end(), [&](const Variant& v) { return any(v.fields); });
}

// The paths of the specification whose last name is `name`: where a key that stands in the wrong place belongs.
void find_paths(const FieldSpec& spec, const std::string& path, std::string_view name,
                std::vector<std::string>& found) {
  const auto into = [&](const std::vector<FieldSpec>& fields) {
    for (const auto& f : fields) {
      const auto inner = joined(path, f.name);
      if (f.name == name && std::find(found.begin(), found.end(), inner) == found.end()) found.push_back(inner);
      find_paths(f, inner, name, found);
    }
  };
  into(spec.fields);
  for (const auto& v : spec.variants) into(v.fields);
  if (spec.element) find_paths(*spec.element, path + (spec.type == FieldType::map ? ".<name>" : "[]"), name, found);
}

class Validator {
 public:
  Validator(const FieldSpec& root, const Environment& environment, Diagnostics& out)
      : root_(root), environment_(environment), out_(out) {}

  Value check(const Node& node, const FieldSpec& spec, const std::string& path, bool written) {
    if (node.kind == Node::Kind::broken) return {};
    if (node.kind == Node::Kind::null && spec.null_text) {
      const Node named{Node::Kind::scalar, node.mark, *spec.null_text, true, {}, {}};
      return check(named, spec, path, written);
    }
    if (node.kind == Node::Kind::null) {
      const auto example = spec.example.empty() || spec.type == FieldType::map ? "" : ": " + spec.example;
      return wrong(node.mark, path, "has no value", "write one, or remove the line" + example);
    }
    if (++values_ > kValuesMax) return too_many(node, path);
    switch (spec.type) {
      case FieldType::list:
        return list(node, spec, path, written);
      case FieldType::map:
        return map(node, spec, path, written);
      case FieldType::object:
        return object(node, spec, path, written);
      case FieldType::variant:
        return variant(node, spec, path, written);
      default:
        return scalar(node, spec, path, written, false);
    }
  }

 private:
  static constexpr std::size_t kValuesMax = 100'000;

  Value wrong(const Mark& mark, const std::string& path, std::string message, std::string hint) {
    out_.push_back({mark, path, std::move(message), std::move(hint), false});
    return {};
  }

  // Aliases of aliases may stand for far more values than the text has.
  Value too_many(const Node& node, const std::string& path) {
    if (values_ == kValuesMax + 1) wrong(node.mark, path, "the aliases expand to too many values", "use fewer of them");
    return {};
  }

  Value wrong_type(const Node& node, const FieldSpec& spec, const std::string& path, std::string hint) {
    const auto got = node.kind == Node::Kind::scalar && holds_secret(spec) ? "text" : described(node);
    return wrong(node.mark, path, "expected " + expected(spec) + ", got " + got, std::move(hint));
  }

  static Mark mark_of(const Node& node, bool written) { return written ? node.mark : Mark{}; }

  Value scalar(const Node& node, const FieldSpec& spec, const std::string& path, bool written, bool masked) {
    if (node.kind != Node::Kind::scalar)
      return wrong_type(node, spec, path, spec.example.empty() ? "" : "for example " + spec.example);
    return read_scalar(node, spec, {environment_, path, written, masked}, out_);
  }

  Value list(const Node& node, const FieldSpec& spec, const std::string& path, bool written) {
    if (node.kind == Node::Kind::scalar && spec.one_is_enough) {
      Value::List one;
      one.push_back(check(node, *spec.element, path, written));
      return Value(std::move(one), mark_of(node, written), written);
    }
    if (node.kind != Node::Kind::list)
      return wrong_type(node, spec, path,
                        node.kind != Node::Kind::scalar || holds_secret(spec) ? "write a list: [...]"
                                                                              : "write a list: [" + node.text + "]");
    if (node.items.empty() && spec.required) return wrong(node.mark, path, "must not be empty", "");
    Value::List values;
    for (std::size_t i = 0; i < node.items.size(); ++i)
      values.push_back(check(*node.items[i], *spec.element, path + "[" + std::to_string(i) + "]", written));
    return Value(std::move(values), mark_of(node, written), written);
  }

  Value map(const Node& node, const FieldSpec& spec, const std::string& path, bool written) {
    if (node.kind != Node::Kind::map) return wrong_type(node, spec, path, "");
    if (node.entries.empty() && spec.required)
      return wrong(node.mark, path, "needs at least one entry", example_of(spec));
    Value::Entries values;
    for (const auto& entry : node.entries) {
      const auto inner = joined(path, entry.key);
      if (!spec.key_pattern.empty() && !matches(entry.key, spec.key_pattern))
        wrong(entry.key_mark, inner, "a key of " + path + " must be " + spec.key_help, "");
      const bool masked = is_scalar_type(spec.element->type) && key_names_a_secret(entry.key);
      auto value = masked && entry.value->kind == Node::Kind::scalar
                       ? scalar(*entry.value, *spec.element, inner, written, spec.element->type != FieldType::path)
                       : check(*entry.value, *spec.element, inner, written);
      values.emplace_back(entry.key, std::move(value));
    }
    return Value(std::move(values), mark_of(node, written), written);
  }

  Value object(const Node& node, const FieldSpec& spec, const std::string& path, bool written) {
    if (node.kind == Node::Kind::map)
      return Value(fields(node, spec.fields, path, written), mark_of(node, written), written);
    if (node.kind != Node::Kind::scalar || spec.shorthand.empty()) return wrong_type(node, spec, path, "");
    Node longhand{Node::Kind::map, node.mark, {}, false, {}, {}};
    longhand.entries.push_back({spec.shorthand, node.mark, &node});
    return Value(fields(longhand, spec.fields, path, written), mark_of(node, written), written);
  }

  Value variant(const Node& node, const FieldSpec& spec, const std::string& path, bool written) {
    const auto known = names_of(spec.variants);
    if (node.kind != Node::Kind::map) return wrong_type(node, spec, path, "write {type: " + listed(known) + ", ...}");
    const auto* type = node.find("type");
    if (type == nullptr) return wrong(node.mark, path, "`type` is missing", "write type: " + listed(known));
    FieldSpec of_type = text("type", "");
    of_type.choices = known;
    of_type.required = true;
    auto chosen = check(*type->value, of_type, joined(path, "type"), written);
    if (!chosen) return {};
    const auto picked = std::find_if(spec.variants.begin(), spec.variants.end(),
                                     [&](const Variant& v) { return v.name == chosen.as_string(); });
    auto entries = fields(node, picked->fields, path, written, "type");
    entries.insert(entries.begin(), {"type", std::move(chosen)});
    return Value(std::move(entries), mark_of(node, written), written);
  }

  // `beside`: a key that is read elsewhere.
  Value::Entries fields(const Node& node, const std::vector<FieldSpec>& specs, const std::string& path, bool written,
                        std::string_view beside = {}) {
    for (const auto& entry : node.entries) {
      const auto known = [&](const FieldSpec& f) { return f.name == entry.key; };
      const bool extension = path.empty() && entry.key.compare(0, kExtensionPrefix.size(), kExtensionPrefix) == 0;
      if (entry.key != beside && !extension && std::none_of(specs.begin(), specs.end(), known))
        unknown_key(entry, specs, path, beside);
    }
    Value::Entries values;
    for (const auto& spec : specs) {
      const auto* entry = node.find(spec.name);
      const auto inner = joined(path, spec.name);
      auto value = entry != nullptr ? check(*entry->value, spec, inner, written) : absent(node, spec, inner);
      if (value) values.emplace_back(spec.name, std::move(value));
    }
    return values;
  }

  Value absent(const Node& node, const FieldSpec& spec, const std::string& path) {
    if (spec.default_text) {
      NodePool pool;
      return check(*parse_yaml_fragment({"", *spec.default_text}, pool, out_), spec, path, false);
    }
    if (spec.required) wrong(node.mark, path, "is missing", example_of(spec));
    return {};
  }

  static std::string example_of(const FieldSpec& spec) {
    if (spec.type == FieldType::map && !spec.example.empty())
      return "write " + spec.name + ": {" + spec.example + ": ...}";
    if (!spec.example.empty()) return "write " + spec.name + ": " + spec.example;
    if (!spec.choices.empty()) return "write " + spec.name + ": " + listed(spec.choices);
    if (spec.type == FieldType::variant)
      return "write " + spec.name + ": {type: " + listed(names_of(spec.variants)) + ", ...}";
    for (const auto& f : spec.fields)
      if (f.name == spec.shorthand && !f.choices.empty()) return "write " + spec.name + ": " + listed(f.choices);
    return {};
  }

  void unknown_key(const Node::Entry& entry, const std::vector<FieldSpec>& specs, const std::string& path,
                   std::string_view beside) {
    auto known = names_of(specs);
    if (!beside.empty()) known.emplace_back(beside);
    std::string hint;
    std::vector<std::string> elsewhere;
    if (const auto near = nearest(entry.key, known)) {
      hint = "did you mean " + *near + "?";
    } else if (find_paths(root_, "", entry.key, elsewhere); !elsewhere.empty()) {
      hint = entry.key + " belongs to " + listed(elsewhere);
    } else {
      hint = known.empty() ? "it has no fields" : "known here are " + listed(known, "and");
    }
    wrong(entry.key_mark, joined(path, entry.key), "unknown key", std::move(hint));
  }

  const FieldSpec& root_;
  const Environment& environment_;
  Diagnostics& out_;
  std::size_t values_ = 0;
};

}  // namespace

Value validate(const Node& node, const FieldSpec& root, const Environment& environment, Diagnostics& out) {
  return Validator(root, environment, out).check(node, root, "", true);
}

}  // namespace relay::config
