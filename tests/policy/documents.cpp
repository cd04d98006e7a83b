#include <memory>

#include "documents.h"

#include <algorithm>
#include <map>

namespace relay::policy::test {
namespace {

constexpr const char* kWords[] = {"blue",      "a/b",         "ü",    "日本",       "\xF0\x9D\x84\x9E", "tab\t",
                                  "quote\"",   "back\\slash", "",     "plain text", "line\nbreak",      "\x01",
                                  "{\"x\":1}", "0",           "null", "x"};

// Code points of valid UTF-8.
std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    std::uint32_t code = lead < 0x80 ? lead : lead < 0xE0 ? lead & 0x1F : lead < 0xF0 ? lead & 0x0F : lead & 0x07;
    for (; i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80; ++i)
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
    out.push_back(code);
  }
  return out;
}

std::string in_utf8(std::uint32_t code) {
  std::string out;
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
  return out;
}

std::string unit(std::uint32_t code, bool upper) {
  const char* const digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[code >> shift & 15];
  return out;
}

}  // namespace

std::string Documents::escaped(std::string_view text) {
  std::string out;
  const bool much = one_in(3);
  for (const auto code : code_points(text)) {
    const bool must = code < 0x20 || code == '"' || code == '\\';
    const auto way = must ? 1 + below(2) : much ? below(3) : one_in(12) ? 1 : 0;
    static const std::map<std::uint32_t, const char*> kShort{{'"', "\\\""}, {'\\', "\\\\"}, {'/', "\\/"}, {'\b', "\\b"},
                                                            {'\f', "\\f"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}};
    const auto short_form = kShort.find(code);
    if (way == 0) {
      out += in_utf8(code);
    } else if (way == 2 && short_form != kShort.end()) {
      out += short_form->second;
    } else if (code < 0x10000) {
      out += unit(code, one_in(2));
    } else {
      out += unit(0xD800 + ((code - 0x10000) >> 10), one_in(2));
      out += unit(0xDC00 + ((code - 0x10000) & 0x3FF), one_in(2));
    }
  }
  return out;
}

Node* Documents::make(Node::Type type) {
  nodes_.push_back(std::make_unique<Node>());
  nodes_.back()->type = type;
  return nodes_.back().get();
}

std::string Documents::space() {
  static constexpr const char* kSpaces[] = {"", "", "", " ", "\n  ", "\t", "\r\n"};
  return kSpaces[below(std::size(kSpaces))];
}

std::string Documents::number() {
  static constexpr const char* kNumbers[] = {"0",
                                             "-0",
                                             "-0.0",
                                             "17",
                                             "1.50",
                                             "1e5",
                                             "1E+05",
                                             "0.000e-3",
                                             "123456789012345678901234567890",
                                             "-9.99999999999999999e307",
                                             "4.9e-324",
                                             "1.0"};
  return kNumbers[below(std::size(kNumbers))];
}

std::string Documents::words() {
  std::string out;
  for (auto n = below(4); n > 0; --n) out += kWords[below(std::size(kWords))];
  return out;
}

Node* Documents::text(const std::string& content) {
  auto* const node = make(Node::Type::scalar);
  node->is_string = true;
  node->text = content;
  node->raw = '"' + escaped(content) + '"';
  return node;
}

Node* Documents::scalar(bool secret) {
  if (secret) return text(words() + marker_ + words());
  auto* const node = make(Node::Type::scalar);
  switch (below(5)) {
    case 0: node->raw = number(); return node;
    case 1: node->raw = one_in(2) ? "true" : "false"; return node;
    case 2: node->raw = "null"; node->is_null = true; return node;
    default: return text(words());
  }
}

void Documents::add(Node* object, const std::string& name, Node* child) {
  object->children.push_back({space(), name, '"' + escaped(name) + '"', space(), space(), space(), child});
}

// Anything; with markers in values, and sometimes in names, when it is secret.
Node* Documents::value(int depth, bool secret) {
  if (depth <= 0 || below(3) > 0) return scalar(secret);
  const bool object = one_in(2);
  auto* const node = make(object ? Node::Type::object : Node::Type::array);
  node->inner_space = space();
  for (auto n = below(4); n > 0; --n) {
    // A secret part has no member named ssn: what that rule does to it is seen elsewhere.
    const auto name = object ? "n" + std::to_string(n) + (secret && one_in(3) ? marker_ : words()) : std::string();
    add(node, name, value(depth - 1, secret));
  }
  return node;
}

// The members that the rules speak of, each there or not, in any order, among others.
Node* Documents::document() {
  nodes_.clear();
  auto* const root = make(Node::Type::object);
  root->inner_space = space();
  auto* const customer = make(Node::Type::object);
  auto* const profile = make(Node::Type::object);
  auto* const items = make(Node::Type::array);
  const auto maybe = [&](Node* to, const std::string& name, auto child) {
    if (!one_in(5)) add(to, name, child());
  };
  const auto secret = [&] { return text(words() + marker_ + words()); };
  maybe(customer, "email", [&] { return one_in(30) ? value(2, true) : text(marker_ + "@example.com"); });
  maybe(customer, "name", secret);
  maybe(customer, "address", [&] { return value(3, true); });
  maybe(customer, marker_, [&] { return value(2, true); });
  maybe(profile, "ssn", [&] { return value(3, true); });
  maybe(profile, "likes", [&] { return value(3, false); });
  maybe(profile, "token", secret);
  for (auto n = below(4); n > 0; --n) {
    auto* const item = make(Node::Type::object);
    maybe(item, "sku", [&] { return scalar(false); });
    maybe(item, "note", [&] { return text(words() + " " + marker_ + "@mail.example.com " + words()); });
    maybe(item, "odd name", [&] { return value(2, true); });
    add(items, "", item);
  }
  maybe(root, "id", [&] { return scalar(false); });
  maybe(root, "customer", [&] { return customer; });
  maybe(root, "profile", [&] { return profile; });
  maybe(root, "settings", [&] {
    auto* const settings = make(Node::Type::object);
    maybe(settings, "theme", [&] { return value(2, false); });
    maybe(settings, "pin", secret);
    maybe(settings, "n1" + words(), [&] { return value(2, true); });
    return settings;
  });
  maybe(root, "items", [&] { return items; });
  maybe(root, "born", [&] { return text("1970-01-31T" + marker_); });
  maybe(root, "short", [&] { return text("abcd" + marker_); });
  maybe(root, "other", [&] { return value(4, true); });
  maybe(root, "ssn", [&] { return value(2, true); });
  maybe(root, "gone", [&] { return value(3, true); });
  for (auto* object : {root, customer, profile})
    std::shuffle(object->children.begin(), object->children.end(), random_);
  return root;
}

void Documents::write(const Node& node, std::string& out) const {
  if (node.type == Node::Type::scalar) {
    out += node.raw;
    return;
  }
  const bool object = node.type == Node::Type::object;
  out += object ? '{' : '[';
  if (node.children.empty()) out += node.inner_space;
  bool first = true;
  for (const auto& child : node.children) {
    if (!first) out += ',';
    first = false;
    out += child.before;
    if (object) out += child.raw_name + child.colon + ':' + child.value_space;
    write(*child.node, out);
    out += child.after;
  }
  out += object ? '}' : ']';
}

std::string Documents::bytes(const Node& root) {
  auto out = space();
  write(root, out);
  return out + space();
}

namespace {

struct Place {
  bool member;
  std::string name;
  std::size_t index;
};

bool fits(const PathStep& step, const Place& place) {
  if (place.member)
    return step.kind == PathStep::Kind::any_member || (step.kind == PathStep::Kind::member && step.name == place.name);
  return step.kind == PathStep::Kind::any_element ||
         (step.kind == PathStep::Kind::element && step.index == place.index);
}

// Does the path from step i on match the places from j on?
bool leads(const JsonPath& path, std::size_t i, const std::vector<Place>& places, std::size_t j) {
  if (i == path.steps.size()) return j == places.size();
  if (j == places.size()) return false;
  if (fits(path.steps[i], places[j]) && leads(path, i + 1, places, j + 1)) return true;
  return path.steps[i].deep && leads(path, i, places, j + 1);
}

// Is this place on the way to what the path names, without searching?
bool on_the_way(const JsonPath& path, const std::vector<Place>& places) {
  if (path.steps.size() <= places.size()) return false;
  for (std::size_t i = 0; i < places.size(); ++i)
    if (path.steps[i].deep || path.steps[i].kind == PathStep::Kind::any_member || !fits(path.steps[i], places[i]))
      return false;
  return true;
}

struct Model {
  const std::vector<ModelRule>& rules;
  std::vector<Place> places;
  bool rejected = false;

  const ModelRule* rule() const {
    const ModelRule* best = nullptr;
    for (const auto& r : rules)
      if (leads(r.path, 0, places, 0) && (best == nullptr || compare_paths(r.path, best->path) > 0)) best = &r;
    return best;
  }
  bool placed() const {
    return std::any_of(rules.begin(), rules.end(), [&](const ModelRule& r) { return on_the_way(r.path, places); });
  }

  // False: nothing of it leaves.
  bool leave(const Node& node, bool keep, std::string& out) {
    if (const auto* r = rule()) {
      if (r->kind == ModelRule::Kind::drop) return false;
      if (r->kind == ModelRule::Kind::null) return out += "null", true;
      if (r->kind == ModelRule::Kind::hide) {
        if (node.type != Node::Type::scalar) rejected = true;
        out += node.is_null ? "null" : "\"?\"";
        return true;
      }
      keep = true;
    }
    if (node.type == Node::Type::scalar) {
      out += node.raw;
      return keep;
    }
    return children(node, keep, out);
  }

  bool children(const Node& node, bool keep, std::string& out) {
    const bool object = node.type == Node::Type::object;
    out += object ? '{' : '[';
    if (node.children.empty()) out += node.inner_space;
    bool any = false;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const auto& child = node.children[i];
      std::string inside = child.before;
      if (object) inside += child.raw_name + child.colon + ':' + child.value_space;
      places.push_back({object, child.name, i});
      const bool leaves = leave(*child.node, keep, inside);
      places.pop_back();
      if (!leaves) continue;
      if (any) out += ',';
      any = true;
      out += inside + child.after;
    }
    out += object ? '}' : ']';
    return any || keep || placed();
  }
};

}  // namespace

bool Documents::expected(const Node& root, const std::vector<ModelRule>& rules, std::string& out) {
  Model model{rules, {}};
  return model.leave(root, false, out) && !model.rejected;
}

bool Documents::break_it(Node* root, std::string& text) {
  switch (below(7)) {
    case 0: text.insert(below(text.size() + 1), 1, '\xff'); return true;
    case 1: text += one_in(2) ? "x" : "}"; return true;
    case 2: {
      const auto end = text.find_last_not_of(" \t\r\n");
      text.resize(below(end));
      return true;
    }
    case 3: {
      if (root->children.empty()) return false;
      auto again = root->children[below(root->children.size())];
      again.raw_name = '"' + escaped(again.name) + '"';
      root->children.insert(root->children.begin() + static_cast<std::ptrdiff_t>(below(root->children.size())), again);
      break;
    }
    case 4: add(root, "lone", text_of("\"\\ud83d" + marker_ + "\"")); break;
    case 5: add(root, "huge", text_of(one_in(2) ? "1e999" : "-1" + std::string(310, '7'))); break;
    default: {
      std::string deep(70, '[');
      add(root, "deep", text_of(deep + '"' + marker_ + '"' + std::string(70, ']')));
    }
  }
  text = bytes(*root);
  return true;
}

Node* Documents::text_of(std::string raw) {
  auto* const node = make(Node::Type::scalar);
  node->raw = std::move(raw);
  return node;
}

}  // namespace relay::policy::test
