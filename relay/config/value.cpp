#include "relay/config/value.h"

#include "relay/base/assert.h"
#include "relay/config/units.h"
#include "relay/config/yaml_text.h"

namespace relay::config {
namespace {

const Value kNothing;

}  // namespace

bool Value::as_bool() const {
  RELAY_ASSERT(std::holds_alternative<bool>(data_));
  return std::get<bool>(data_);
}

std::int64_t Value::as_int() const {
  RELAY_ASSERT(std::holds_alternative<std::int64_t>(data_));
  return std::get<std::int64_t>(data_);
}

const std::string& Value::as_string() const {
  RELAY_ASSERT(std::holds_alternative<std::string>(data_));
  return std::get<std::string>(data_);
}

const Secret& Value::as_secret() const {
  RELAY_ASSERT(std::holds_alternative<Secret>(data_));
  return std::get<Secret>(data_);
}

std::chrono::milliseconds Value::as_duration() const {
  RELAY_ASSERT(std::holds_alternative<std::chrono::milliseconds>(data_));
  return std::get<std::chrono::milliseconds>(data_);
}

std::uint64_t Value::as_size() const {
  RELAY_ASSERT(std::holds_alternative<std::uint64_t>(data_));
  return std::get<std::uint64_t>(data_);
}

const Value::List& Value::items() const {
  static const List none;
  RELAY_ASSERT(!has_value() || is_list());
  return has_value() ? std::get<List>(data_) : none;
}

const Value::Entries& Value::entries() const {
  static const Entries none;
  RELAY_ASSERT(!has_value() || is_map());
  return has_value() ? std::get<Entries>(data_) : none;
}

const Value& Value::operator[](std::string_view key) const {
  for (const auto& [name, value] : entries())
    if (name == key) return value;
  return kNothing;
}

std::string Value::display() const {
  if (!has_value()) return "null";
  if (std::holds_alternative<Secret>(data_)) return "\"" + std::string(Secret::kMasked) + "\"";
  std::string out;
  if (is_list()) {
    for (const auto& item : items()) out += (out.empty() ? "" : ", ") + item.display();
    return "[" + out + "]";
  }
  if (is_map()) {
    for (const auto& [name, value] : entries())
      out += (out.empty() ? "" : ", ") + yaml_scalar(name) + ": " + value.display();
    return "{" + out + "}";
  }
  if (!shown_.empty()) return yaml_scalar(shown_);
  if (const auto* flag = std::get_if<bool>(&data_)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&data_)) return std::to_string(*number);
  if (const auto* time = std::get_if<std::chrono::milliseconds>(&data_)) return format_duration(*time);
  if (const auto* bytes = std::get_if<std::uint64_t>(&data_)) return format_size(*bytes);
  return yaml_scalar(std::get<std::string>(data_));
}

}  // namespace relay::config
