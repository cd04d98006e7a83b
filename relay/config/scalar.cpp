#include "relay/config/scalar.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "relay/config/pattern.h"
#include "relay/config/substitute.h"
#include "relay/config/suggest.h"
#include "relay/config/units.h"

namespace relay::config {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || after != end) return std::nullopt;
  return number;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  if (text.size() <= kShown) return "\"" + std::string(text) + "\"";
  return "\"" + std::string(text.substr(0, kShown)) + "...\"";
}

// How a value is named in messages: its text, or only the variables that it came from.
std::string named(std::string_view text, const Substituted& from) {
  if (from.used.empty()) return in_quotes(text);
  std::vector<std::string> variables;
  for (const auto& name : from.used) variables.push_back("${" + name + "}");
  return "the value of " + listed(variables, "and");
}

class Reader {
 public:
  Reader(const Node& node, const FieldSpec& spec, const ScalarContext& context, Diagnostics& out)
      : node_(node), spec_(spec), context_(context), out_(out) {}

  Value read() {
    if (!substitute_variables()) return {};
    if (spec_.required && context_.written && text_.empty() && !from_.used.empty())
      return wrong(named(text_, from_) + " is empty", "set it, or write ${" + from_.used[0] + ":-a default}");
    switch (spec_.type) {
      case FieldType::boolean:
        return boolean();
      case FieldType::integer:
        return integer();
      case FieldType::duration:
        return duration();
      case FieldType::size:
        return size();
      case FieldType::secret:
        return secret();
      case FieldType::path:
        return path();
      default:
        return text();
    }
  }

 private:
  bool substitute_variables() {
    text_ = node_.text;
    if (!context_.written) return true;
    from_ = substitute(node_.text, context_.environment);
    text_ = from_.text;
    if (!from_.malformed.empty()) wrong(from_.malformed, "write ${NAME}, ${NAME:-default}, or $$ for a dollar sign");
    for (const auto& name : from_.missing)
      wrong("the environment variable " + name + " is not set",
            "export " + name + "=..., or write ${" + name + ":-a default}");
    if (from_.bare_dollar && spec_.type != FieldType::secret)
      warn("$ before a name is taken as it stands", "write ${NAME} for a variable, $$ for a dollar sign");
    return from_.malformed.empty() && from_.missing.empty();
  }

  Value wrong(std::string message, std::string hint) {
    out_.push_back({node_.mark, context_.field, std::move(message), std::move(hint), false});
    return {};
  }
  void warn(std::string message, std::string hint) {
    out_.push_back({node_.mark, context_.field, std::move(message), std::move(hint), true});
  }

  template <typename T>
  Value made(T data) const {
    return Value(std::move(data), context_.written ? node_.mark : Mark{}, context_.written,
                 context_.masked ? std::string(Secret::kMasked) : node_.text);
  }

  std::string got() const { return from_.used.empty() ? described(node_) : named(text_, from_); }

  Value wrong_type(std::string hint) {
    return wrong("expected " + expected(spec_) + ", got " + got(), std::move(hint));
  }

  // "5" in quotes is text. With a variable in it the quotes are what YAML demands, so they mean nothing.
  bool quotes_are_wrong(bool would_be_right) {
    if (!would_be_right || !node_.quoted || !from_.used.empty()) return false;
    wrong_type("remove the quotes: " + text_);
    return true;
  }

  Value boolean() {
    const bool right = text_ == "true" || text_ == "false";
    if (quotes_are_wrong(right)) return {};
    if (right) return made(text_ == "true");
    std::string lower = text_;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool yes = lower == "yes" || lower == "on" || lower == "true" || lower == "1";
    const bool no = lower == "no" || lower == "off" || lower == "false" || lower == "0";
    return wrong_type(yes ? "write true" : no ? "write false" : "write true or false");
  }

  // `show` prints a bound as one would write the value.
  template <typename Show>
  bool in_range(std::int64_t value, const Show& show) {
    if ((!spec_.min || value >= *spec_.min) && (!spec_.max || value <= *spec_.max)) return true;
    std::string range;
    if (spec_.min && spec_.max)
      range = *spec_.min == *spec_.max ? "must be " + show(*spec_.min)
                                       : "must be between " + show(*spec_.min) + " and " + show(*spec_.max);
    else
      range = spec_.min ? "must be at least " + show(*spec_.min) : "must be at most " + show(*spec_.max);
    wrong(range + ", got " + got(), "");
    return false;
  }

  Value integer() {
    const auto number = parse_integer(text_);
    if (quotes_are_wrong(number.has_value())) return {};
    if (!number) return wrong_type("write a whole number, without a unit or separators");
    if (!in_range(*number, [](std::int64_t n) { return std::to_string(n); })) return {};
    return made(*number);
  }

  Value duration() {
    const auto value = parse_duration(text_);
    if (!value) return wrong_type(duration_hint(from_.used.empty() ? text_ : ""));
    if (!in_range(value->count(), [](std::int64_t n) { return format_duration(std::chrono::milliseconds(n)); }))
      return {};
    return made(*value);
  }

  Value size() {
    const auto bytes = parse_size(text_);
    if (!bytes) return wrong_type(size_hint(from_.used.empty() ? text_ : ""));
    const auto shown = [](std::int64_t n) { return format_size(static_cast<std::uint64_t>(n)); };
    if (!in_range(static_cast<std::int64_t>(*bytes), shown)) return {};
    return made(*bytes);
  }

  Value secret() {
    if (spec_.required && text_.empty()) return wrong("must not be empty", "");
    if (!checked("the value")) return {};
    return made(Secret(text_));
  }

  Value path() {
    if (text_.empty()) return wrong("expected the path of a file, got an empty text", "");
    namespace fs = std::filesystem;
    fs::path file(text_);
    std::error_code ignored;
    if (file.is_relative() && !node_.mark.file.empty())
      file = fs::absolute(node_.mark.file, ignored).parent_path() / file;
    return made(fs::absolute(file, ignored).lexically_normal().string());
  }

  Value text() {
    const auto shown = context_.masked ? "the value" : named(text_, from_);
    if (spec_.required && text_.empty()) return wrong("must not be empty", example_hint());
    if (!spec_.choices.empty() && std::find(spec_.choices.begin(), spec_.choices.end(), text_) == spec_.choices.end())
      return wrong(shown + " is none of " + listed(spec_.choices), choice_hint());
    if (!spec_.pattern.empty() && !matches(text_, spec_.pattern))
      return wrong(shown + " must be " + spec_.pattern_help, example_hint());
    if (!checked(shown)) return {};
    return made(text_);
  }

  // A check's message may quote the value, so it is not passed on for what came from the environment.
  bool checked(const std::string& shown) {
    if (!spec_.check) return true;
    const auto problem = spec_.check(text_);
    if (!problem) return true;
    const bool may_quote = from_.used.empty() && !context_.masked;
    wrong(may_quote || spec_.type == FieldType::secret ? *problem : shown + " is not valid", example_hint());
    return false;
  }

  std::string example_hint() const { return spec_.example.empty() ? "" : "for example " + spec_.example; }
  std::string choice_hint() const {
    const auto near = from_.used.empty() ? nearest(text_, spec_.choices) : std::nullopt;
    return near ? "did you mean " + *near + "?" : "";
  }

  const Node& node_;
  const FieldSpec& spec_;
  const ScalarContext& context_;
  Diagnostics& out_;
  std::string text_;
  Substituted from_;
};

}  // namespace

bool is_scalar_type(FieldType type) {
  return type != FieldType::list && type != FieldType::map && type != FieldType::object && type != FieldType::variant;
}

std::string expected(const FieldSpec& spec) {
  switch (spec.type) {
    case FieldType::boolean:
      return "true or false";
    case FieldType::integer:
      return "a whole number";
    case FieldType::string:
    case FieldType::secret:
      return "text";
    case FieldType::duration:
      return "a duration such as 10s";
    case FieldType::size:
      return "a size such as 64MiB";
    case FieldType::path:
      return "the path of a file";
    case FieldType::list:
      return "a list";
    case FieldType::map:
      return "a map";
    case FieldType::object:
      return "a map of fields";
    case FieldType::variant:
      return "a map with a `type`";
  }
  return "something else";
}

std::string described(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::broken:
      return "something unreadable";
    case Node::Kind::scalar:
      break;
  }
  if (!node.quoted && parse_integer(node.text)) return "the number " + node.text;
  if (!node.quoted && (node.text == "true" || node.text == "false")) return node.text;
  return "the text " + in_quotes(node.text);
}

Value read_scalar(const Node& node, const FieldSpec& spec, const ScalarContext& context, Diagnostics& out) {
  return Reader(node, spec, context, out).read();
}

}  // namespace relay::config
