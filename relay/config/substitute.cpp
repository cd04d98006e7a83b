#include "relay/config/substitute.h"

#include <algorithm>
#include <cctype>

namespace relay::config {
namespace {

bool is_variable_name(std::string_view name) {
  const auto legal = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::all_of(name.begin(), name.end(), legal);
}

// The inside of one ${...}.
void replace(std::string_view inside, const Environment& environment, Substituted& out) {
  const auto separator = inside.find(":-");
  const std::string name(inside.substr(0, separator));
  if (!is_variable_name(name)) {
    out.malformed = "what stands in ${...} is no variable name";
    return;
  }
  const auto value = environment(name);
  if (separator == std::string_view::npos) {
    if (!value) {
      out.missing.push_back(name);
      return;
    }
    out.text += *value;
  } else {
    out.text += value && !value->empty() ? *value : std::string(inside.substr(separator + 2));
  }
  out.used.push_back(name);
}

}  // namespace

Substituted substitute(std::string_view text, const Environment& environment) {
  Substituted out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '$' || (next != '$' && next != '{')) {
      if (text[i] == '$' && std::isupper(static_cast<unsigned char>(next)) != 0) out.bare_dollar = true;
      out.text += text[i];
      continue;
    }
    if (next == '$') {
      out.text += '$';
      ++i;
      continue;
    }
    const auto close = text.find('}', i);
    if (close == std::string_view::npos) {
      out.malformed = "a ${ has no closing }";
      return out;
    }
    replace(text.substr(i + 2, close - i - 2), environment, out);
    i = close;
  }
  return out;
}

}  // namespace relay::config
