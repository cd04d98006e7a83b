// The specification of one configuration field. Checks, defaults, error messages, the JSON Schema and the reference page
// all come from it, so a field is described once. Plain data; built with the functions at the end of this file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace relay::config {

enum class FieldType {
  boolean,
  integer,
  string,
  secret,    // a string that prints as *** everywhere
  duration,  // "10s", "500ms", "5m", "1h": a number without a unit is an error
  size,      // "64MiB", "1GiB", "512KiB", "100B", also kB, MB, GB
  path,      // of a file; relative to the configuration file that names it
  list,      // of `element`
  map,       // free keys (checked by `key_pattern`), values of `element`
  object,    // the named `fields`
  variant,   // an object whose key `type` picks one of `variants`
};

struct Variant;

struct FieldSpec {
  std::string name;
  FieldType type = FieldType::string;
  std::string description;                // a sentence or two, for the reference page
  bool required = false;
  bool usual = false;                     // optional, and yet written out in the example
  // As one would write it in YAML; shown in the reference. An object or list without a default has no value when it is
  // not written, also when its own fields have defaults; `{}` as its default fills those in.
  std::optional<std::string> default_text;
  std::string example;                    // as one would write it in YAML; of a map of objects: an example key
  std::string since = "0.1";
  std::vector<std::string> choices;       // the only values of a string (or of a list's strings)
  std::optional<std::int64_t> min, max;   // integer; duration in ms; size in bytes
  std::string pattern;                    // ECMAScript regex that a string must match whole
  std::string pattern_help;               // what the pattern means, for the message
  std::string key_pattern;                // map: the same for keys
  std::string key_help;
  std::string shorthand;                  // object: a plain scalar stands for {<shorthand>: scalar}
  bool one_is_enough = false;             // list: a plain scalar stands for a list of it
  std::optional<std::string> null_text;   // YAML's null (also an empty value) stands for this text
  std::shared_ptr<FieldSpec> element;     // list, map
  std::vector<FieldSpec> fields;          // object
  std::vector<Variant> variants;          // variant
  // A further pure check of a string: an error message, or nullopt.
  std::function<std::optional<std::string>(const std::string&)> check;

  FieldSpec&& require() && { required = true; return std::move(*this); }
  FieldSpec&& usually() && { usual = true; return std::move(*this); }
  FieldSpec&& defaults(std::string text) && { default_text = std::move(text); return std::move(*this); }
  FieldSpec&& for_example(std::string text) && { example = std::move(text); return std::move(*this); }
  FieldSpec&& one_of(std::vector<std::string> values) && { choices = std::move(values); return std::move(*this); }
  FieldSpec&& between(std::int64_t low, std::int64_t high) && { min = low; max = high; return std::move(*this); }
  FieldSpec&& matching(std::string regex, std::string help) && {
    pattern = std::move(regex);
    pattern_help = std::move(help);
    return std::move(*this);
  }
  FieldSpec&& keys_matching(std::string regex, std::string help) && {
    key_pattern = std::move(regex);
    key_help = std::move(help);
    return std::move(*this);
  }
  FieldSpec&& short_for(std::string field) && { shorthand = std::move(field); return std::move(*this); }
  FieldSpec&& or_one() && { one_is_enough = true; return std::move(*this); }
  FieldSpec&& null_means(std::string text) && { null_text = std::move(text); return std::move(*this); }
  FieldSpec&& checked(std::function<std::optional<std::string>(const std::string&)> f) && {
    check = std::move(f);
    return std::move(*this);
  }
};

struct Variant {
  std::string name;     // the value of `type`
  std::string summary;  // a sentence
  std::vector<FieldSpec> fields;
};

inline FieldSpec field(FieldType type, std::string name, std::string description) {
  FieldSpec f;
  f.name = std::move(name);
  f.type = type;
  f.description = std::move(description);
  return f;
}
inline FieldSpec boolean(std::string n, std::string d) { return field(FieldType::boolean, std::move(n), std::move(d)); }
inline FieldSpec integer(std::string n, std::string d) { return field(FieldType::integer, std::move(n), std::move(d)); }
inline FieldSpec text(std::string n, std::string d) { return field(FieldType::string, std::move(n), std::move(d)); }
inline FieldSpec secret(std::string n, std::string d) { return field(FieldType::secret, std::move(n), std::move(d)); }
inline FieldSpec duration(std::string n, std::string d) { return field(FieldType::duration, std::move(n), std::move(d)); }
inline FieldSpec size(std::string n, std::string d) { return field(FieldType::size, std::move(n), std::move(d)); }
inline FieldSpec path(std::string n, std::string d) { return field(FieldType::path, std::move(n), std::move(d)); }
inline FieldSpec list(std::string n, std::string d, FieldSpec element) {
  auto f = field(FieldType::list, std::move(n), std::move(d));
  f.element = std::make_shared<FieldSpec>(std::move(element));
  return f;
}
inline FieldSpec map(std::string n, std::string d, FieldSpec element) {
  auto f = field(FieldType::map, std::move(n), std::move(d));
  f.element = std::make_shared<FieldSpec>(std::move(element));
  return f;
}
inline FieldSpec object(std::string n, std::string d, std::vector<FieldSpec> fields) {
  auto f = field(FieldType::object, std::move(n), std::move(d));
  f.fields = std::move(fields);
  return f;
}
inline FieldSpec variant(std::string n, std::string d, std::vector<Variant> variants) {
  auto f = field(FieldType::variant, std::move(n), std::move(d));
  f.variants = std::move(variants);
  return f;
}

}  // namespace relay::config
