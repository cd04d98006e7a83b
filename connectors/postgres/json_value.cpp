#include "connectors/postgres/json_value.h"

#include <algorithm>

#include "relay/base/json_text.h"

namespace relay::connectors::postgres {
namespace {

constexpr int kDeepest = 100;

bool append(const JsonType& type, std::string_view text, std::string& out, int depth);

bool append_text(std::string_view text, std::string& out) {
  if (!is_utf8(text)) return false;
  append_quoted(text, out);
  return true;
}

// NaN and the infinities are no JSON numbers.
bool append_number(std::string_view text, std::string& out) {
  const auto first = text.find_first_not_of('-');
  const bool number = first < 2 && text[first] >= '0' && text[first] <= '9' &&
                      text.find_first_not_of("0123456789.+-e") == std::string_view::npos;
  if (!number) return append_text(text, out);
  out += text;
  return true;
}

// "2024-02-29 12:30:00.5+02", "0044-03-15 00:00:00 BC", "infinity"
bool append_timestamp(std::string_view text, bool with_zone, std::string& out) {
  const auto space = text.find(' ');
  const bool plain = text.find_first_not_of("0123456789-+:. BC") == std::string_view::npos;
  const bool dated = plain && space != std::string_view::npos && space + 1 < text.size() && text[space + 1] >= '0' && text[space + 1] <= '9';
  if (!dated) return append_text(text, out);
  const auto era = text.find(' ', space + 1);
  const auto time = text.substr(space + 1, era == std::string_view::npos ? era : era - space - 1);
  const auto zone = time.find_first_of("+-");
  out += '"';
  out += text.substr(0, space);
  out += 'T';
  out += time;
  if (with_zone && zone != std::string_view::npos && time.size() - zone == 3) out += ":00";
  if (era != std::string_view::npos) out += text.substr(era);
  out += '"';
  return true;
}

// {1,NULL,"a \"b\"",{2}} with its bounds in front when they are unusual: [0:1]={1,2}
class ArrayText {
 public:
  ArrayText(const JsonType& type, std::string_view text, std::string& out, int depth)
      : type_(type), text_(text), out_(out), depth_(depth) {}

  bool append_all() {
    if (text_.starts_with('[')) {
      const auto equals = text_.find('=');
      if (equals == std::string_view::npos) return false;
      at_ = equals + 1;
    }
    return list(0) && at_ == text_.size();
  }

 private:
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool list(int dimension) {
    if (!at('{') || dimension > kDeepest) return false;
    ++at_;
    out_ += '[';
    for (bool first = true; !at('}'); first = false) {
      if (!first) {
        if (!at(type_.delimiter)) return false;
        ++at_;
        out_ += ',';
      }
      if (!element(dimension)) return false;
    }
    ++at_;
    out_ += ']';
    return true;
  }

  bool element(int dimension) {
    if (at('{')) return list(dimension + 1);
    if (at('"')) {
      std::string value;
      return quoted(value) && append(*type_.element, value, out_, depth_ + 1);
    }
    const auto begin = at_;
    while (at_ < text_.size() && text_[at_] != type_.delimiter && text_[at_] != '}') ++at_;
    const auto value = text_.substr(begin, at_ - begin);
    if (value.empty()) return false;
    if (value == "NULL") {
      out_ += "null";
      return true;
    }
    return append(*type_.element, value, out_, depth_ + 1);
  }

  bool quoted(std::string& value) {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && ++at_ == text_.size()) return false;
      value += text_[at_];
    }
    return at_++ < text_.size();
  }

  const JsonType& type_;
  std::string_view text_;
  std::string& out_;
  int depth_;
  std::size_t at_ = 0;
};

// int2vector and oidvector: "1 2 3"
bool append_vector(const JsonType& type, std::string_view text, std::string& out, int depth) {
  out += '[';
  while (!text.empty()) {
    const auto space = std::min(text.find(' '), text.size());
    if (!append(*type.element, text.substr(0, space), out, depth + 1)) return false;
    text.remove_prefix(std::min(space + 1, text.size()));
    if (!text.empty()) out += ',';
  }
  out += ']';
  return true;
}

// One field of a composite value's text; true when it is NULL (nothing stands there).
bool take_field(std::string_view text, std::size_t& at, std::string& value) {
  const auto begin = at;
  bool inside = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (!inside && (c == ',' || c == ')')) break;
    if (c == '"' && inside && at + 1 < text.size() && text[at + 1] == '"') {
      value += '"';
      ++at;
    } else if (c == '"') {
      inside = !inside;
    } else if (c == '\\' && at + 1 < text.size()) {
      value += text[++at];
    } else {
      value += c;
    }
  }
  return at == begin;
}

// (1,"a ""b""",,2)
bool append_composite(const JsonType& type, std::string_view text, std::string& out, int depth) {
  if (!text.starts_with('(')) return false;
  out += '{';
  std::size_t at = 1;
  for (std::size_t i = 0; i < type.attributes.size(); ++i) {
    const auto& attribute = type.attributes[i];
    if (i > 0) {
      if (at >= text.size() || text[at] != ',') return false;
      ++at;
      out += ',';
    }
    append_quoted(attribute.name, out);
    out += ':';
    std::string value;
    if (take_field(text, at, value))
      out += "null";
    else if (!append(*attribute.type, value, out, depth + 1))
      return false;
  }
  out += '}';
  return at + 1 == text.size() && text[at] == ')';
}

bool append(const JsonType& type, std::string_view text, std::string& out, int depth) {
  if (depth > kDeepest) return false;
  switch (type.kind) {
    case JsonType::Kind::number:
      return append_number(text, out);
    case JsonType::Kind::boolean:
      out += text == "t" ? "true" : "false";
      return text == "t" || text == "f";
    case JsonType::Kind::json:
      out += text;
      return is_utf8(text);
    case JsonType::Kind::timestamp:
    case JsonType::Kind::timestamptz:
      return append_timestamp(text, type.kind == JsonType::Kind::timestamptz, out);
    case JsonType::Kind::array:
      return ArrayText(type, text, out, depth).append_all();
    case JsonType::Kind::vector:
      return append_vector(type, text, out, depth);
    case JsonType::Kind::composite:
      return append_composite(type, text, out, depth);
    case JsonType::Kind::text:
      break;
  }
  return append_text(text, out);
}

}  // namespace

bool append_json(const JsonType& type, std::string_view text, std::string& out) { return append(type, text, out, 0); }

}  // namespace relay::connectors::postgres
