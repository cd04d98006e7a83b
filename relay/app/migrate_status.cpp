#include "relay/app/migrate_status.h"

#include "relay/observe/escape.h"

namespace relay::app {
namespace {

void append_member(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  out += ",\"";
  out += name;
  out += "\":[";
  for (const auto& text : texts) {
    if (out.back() != '[') out += ',';
    observe::append_json_string(out, text);
  }
  out += ']';
}

}  // namespace

std::string migrate_status_text(const MigrateStatus& status) {
  std::string out = "schema outbox_relay in " + status.target + "\n";
  for (const auto& a : status.applied) out += "  applied   " + a.name + "  " + a.applied_at + "\n";
  for (const auto& name : status.there) out += "  there     " + name + "  (not by migrate apply)\n";
  for (const auto& name : status.missing) out += "  missing   " + name + "\n";
  for (const auto& difference : status.differences) out += "  differs   " + difference + "\n";
  if (status.applied.empty() && status.there.empty()) out += "  nothing of it is there\n";
  return out;
}

std::string migrate_status_json(const MigrateStatus& status) {
  std::string out = "{\"database\":";
  observe::append_json_string(out, status.target);
  out += ",\"applied\":[";
  for (const auto& a : status.applied) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    observe::append_json_string(out, a.name);
    out += ",\"applied_at\":";
    observe::append_json_string(out, a.applied_at);
    out += '}';
  }
  out += ']';
  append_member(out, "there", status.there);
  append_member(out, "missing", status.missing);
  append_member(out, "differences", status.differences);
  return out + "}\n";
}

}  // namespace relay::app
