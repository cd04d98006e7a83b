#include "relay/policy/json_path.h"

#include <charconv>

namespace relay::policy {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  tl::expected<JsonPath, PathProblem> parse() {
    if (!take('$')) return problem("a path begins with $");
    JsonPath path;
    while (at_ < text_.size()) {
      if (path.steps.size() == JsonPath::kStepsMax) return problem("the path has too many steps");
      auto step = next_step();
      if (!step) return tl::unexpected(std::move(step).error());
      path.steps.push_back(std::move(*step));
    }
    return path;
  }

 private:
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) { return at(c) ? (++at_, true) : false; }
  tl::unexpected<PathProblem> problem(std::string message) const {
    return tl::unexpected(PathProblem{at_, std::move(message)});
  }

  tl::expected<PathStep, PathProblem> next_step() {
    if (at('[')) return bracket(false);
    if (!take('.')) return problem("expected . or [");
    const bool deep = take('.');
    if (deep && at('*')) return problem("..* would be every value: name a member after ..");
    if (deep && at('[')) return bracket(true);
    if (take('*')) return PathStep{PathStep::Kind::any_member, false, {}, 0};
    return name(deep);
  }

  tl::expected<PathStep, PathProblem> name(bool deep) {
    const auto first = at_;
    while (at_ < text_.size() && is_plain(text_[at_])) ++at_;
    if (at_ == first) return problem("expected a name; write ['...'] around one with other characters");
    return PathStep{PathStep::Kind::member, deep, std::string(text_.substr(first, at_ - first)), 0};
  }

  tl::expected<PathStep, PathProblem> bracket(bool deep) {
    ++at_;
    if (at('\'') || at('"')) return quoted(deep);
    if (deep) return problem("after .. only a name may stand: $..name or $..['name']");
    PathStep step;
    if (take('*')) {
      step.kind = PathStep::Kind::any_element;
    } else {
      step.kind = PathStep::Kind::element;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), step.index);
      if (error != std::errc{}) return problem("expected an index, * or a quoted name");
      at_ = static_cast<std::size_t>(end - text_.data());
    }
    if (!take(']')) return problem("expected ]");
    return step;
  }

  tl::expected<PathStep, PathProblem> quoted(bool deep) {
    const char quote = text_[at_++];
    PathStep step{PathStep::Kind::member, deep, {}, 0};
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      step.name += text_[at_];
    }
    if (!take(quote)) return problem("the quoted name does not end");
    if (!take(']')) return problem("expected ]");
    return step;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void append_member(const PathStep& step, std::string& out) {
  bool plain = !step.name.empty();
  for (const char c : step.name) plain = plain && is_plain(c);
  if (plain) {
    out += step.deep ? ".." : ".";
    out += step.name;
    return;
  }
  out += step.deep ? "..['" : "['";
  for (const char c : step.name) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  out += "']";
}

int weight(const PathStep& step) {
  const bool named = step.kind == PathStep::Kind::member || step.kind == PathStep::Kind::element;
  return (named ? 2 : 0) + (step.deep ? 0 : 1);
}

}  // namespace

tl::expected<JsonPath, PathProblem> JsonPath::parse(std::string_view text) { return PathParser(text).parse(); }

std::string JsonPath::text() const {
  std::string out = "$";
  for (const auto& step : steps) {
    switch (step.kind) {
      case PathStep::Kind::member: append_member(step, out); break;
      case PathStep::Kind::any_member: out += ".*"; break;
      case PathStep::Kind::element: out += "[" + std::to_string(step.index) + "]"; break;
      case PathStep::Kind::any_element: out += "[*]"; break;
    }
  }
  return out;
}

int compare_paths(const JsonPath& a, const JsonPath& b) {
  auto i = a.steps.size(), j = b.steps.size();
  while (i > 0 && j > 0) {
    const int difference = weight(a.steps[--i]) - weight(b.steps[--j]);
    if (difference != 0) return difference;
  }
  if (i != j) return i > j ? 1 : -1;
  return b.text().compare(a.text());
}

}  // namespace relay::policy
