#include "relay/migrate/earlier_files.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace relay::migrate {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "db/V7__outbox_relay_outbox.sql" -> "outbox_relay_outbox.sql"; empty: no file of a migration.
std::string_view without_version(std::string_view path) {
  const auto base = base_name(path);
  const auto begin = base.find("outbox_relay_");
  return begin == std::string_view::npos ? std::string_view() : base.substr(begin);
}

std::string_view stem(std::string_view name) { return name.substr(0, name.find('.')); }

// "V7__outbox..." and "U7__outbox...": the letter tells which way it goes.
char direction(std::string_view path) { return base_name(path).empty() ? ' ' : base_name(path).front(); }

bool same_kind(const File& a, const File& b) {
  if (without_version(a.path) != without_version(b.path)) return false;
  const auto flyway = [](const File& f) { return direction(f.path) == 'U'; };
  return flyway(a) == flyway(b);
}

std::string value_of(const std::string& text, std::string_view name) {
  const auto begin = text.find("\n" + std::string(name) + " = \"");
  if (begin == std::string::npos) return {};
  const auto value = text.find('"', begin) + 1;
  return text.substr(value, text.find('"', value) - value);
}

// The text without what depends on the migrations before it.
std::string by_itself(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    if (!line.starts_with("    dependencies = ") && !line.starts_with("down_revision = ") &&
        !line.starts_with("branch_labels = "))
      out += line;
  }
  return out;
}

std::size_t number_of(std::string_view path) {
  std::size_t number = 0;
  for (const char c : base_name(path)) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) break;
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return number;
}

}  // namespace

EarlierFiles::EarlierFiles(const std::vector<File>& files) {
  std::copy_if(files.begin(), files.end(), std::back_inserter(files_),
               [](const File& f) { return !without_version(f.path).empty(); });
}

EarlierFiles::Has EarlierFiles::has(std::string_view name, const std::vector<File>& fresh) const {
  Has out = Has::no;
  for (const auto& wanted : fresh) {
    if (stem(without_version(wanted.path)) != name) continue;  // a file beside the migrations: __init__.py
    const auto is_it = [&](const File& f) { return same_kind(f, wanted); };
    const auto is_same = [&](const File& f) { return is_it(f) && by_itself(f.text) == by_itself(wanted.text); };
    if (std::any_of(files_.begin(), files_.end(), is_same))
      out = out == Has::other ? Has::other : Has::same;
    else if (out == Has::same || std::any_of(files_.begin(), files_.end(), is_it))
      out = Has::other;
  }
  return out;
}

std::string EarlierFiles::migration_of(std::string_view path) { return std::string(stem(without_version(path))); }

std::size_t EarlierFiles::number() const {
  std::size_t out = 0;
  for (const auto& f : files_) out = std::max(out, number_of(f.path));
  return out;
}

std::string EarlierFiles::last() const {
  std::string out;
  for (const auto& f : files_)
    if (number_of(f.path) == number()) out = stem(base_name(f.path));
  return out;
}

std::string EarlierFiles::revision() const {
  std::set<std::string> followed;
  for (const auto& f : files_) followed.insert(value_of(f.text, "down_revision"));
  std::string out;
  for (const auto& f : files_)
    if (const auto revision = value_of(f.text, "revision"); !followed.contains(revision)) out = revision;
  return out;
}

}  // namespace relay::migrate
