#include "relay/app/findings.h"

#include <algorithm>
#include <sstream>

#include "relay/observe/escape.h"

namespace relay::app {
namespace {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

std::string_view colour_of(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "\033[32m";
    case Severity::note:
      return "\033[36m";
    case Severity::warning:
      return "\033[33m";
    case Severity::error:
      return "\033[1;31m";
  }
  return "";
}

std::size_t count(const std::vector<PipelineFindings>& all, Severity severity) {
  std::size_t n = 0;
  for (const auto& pipeline : all)
    n += static_cast<std::size_t>(std::count_if(pipeline.findings.begin(), pipeline.findings.end(),
                                                [&](const Finding& f) { return f.severity == severity; }));
  return n;
}

// Each line on its own, since a fix may be several statements.
void append_lines(std::string& out, const std::string& text, std::string_view margin) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    out += margin;
    observe::append_printable(out, line);
    out += '\n';
  }
}

void append_finding(std::string& out, const Finding& finding, bool colour) {
  constexpr std::size_t kMarkWidth = 8;
  const auto mark = name_of(finding.severity);
  out += "    ";
  out += colour ? colour_of(finding.severity) : "";
  out += mark;
  out += colour ? "\033[m" : "";
  out.append(kMarkWidth + 1 - mark.size(), ' ');
  observe::append_printable(out, finding.message);
  if (finding.severity >= Severity::warning && !finding.code.empty()) out += " [" + finding.code + "]";
  out += '\n';
  append_lines(out, finding.fix, "               ");
}

std::vector<std::string> subjects_of(const Findings& findings) {
  std::vector<std::string> subjects;
  for (const auto& finding : findings)
    if (std::find(subjects.begin(), subjects.end(), finding.subject) == subjects.end())
      subjects.push_back(finding.subject);
  return subjects;
}

void append_member(std::string& out, std::string_view name, std::string_view value, bool last = false) {
  observe::append_json_string(out, name);
  out += ':';
  observe::append_json_string(out, value);
  if (!last) out += ',';
}

}  // namespace

std::string findings_text(const std::vector<PipelineFindings>& all, bool colour) {
  std::string out;
  for (const auto& [pipeline, findings] : all) {
    out += (colour ? "\033[1mpipeline " : "pipeline ") + pipeline + (colour ? "\033[m\n" : "\n");
    for (const auto& subject : subjects_of(findings)) {
      out += "  ";
      observe::append_printable(out, subject);
      out += '\n';
      for (const auto& finding : findings)
        if (finding.subject == subject) append_finding(out, finding, colour);
    }
  }
  const auto errors = count(all, Severity::error);
  const auto warnings = count(all, Severity::warning);
  out += std::to_string(errors) + (errors == 1 ? " error, " : " errors, ") + std::to_string(warnings) +
         (warnings == 1 ? " warning\n" : " warnings\n");
  return out;
}

std::string findings_json(const std::vector<PipelineFindings>& all) {
  std::string out = "{\"errors\":" + std::to_string(count(all, Severity::error)) +
                    ",\"warnings\":" + std::to_string(count(all, Severity::warning)) + ",\"pipelines\":[";
  for (const auto& [pipeline, findings] : all) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_member(out, "name", pipeline);
    out += "\"findings\":[";
    for (const auto& finding : findings) {
      if (out.back() != '[') out += ',';
      out += '{';
      append_member(out, "severity", name_of(finding.severity));
      append_member(out, "code", finding.code);
      append_member(out, "subject", finding.subject);
      append_member(out, "message", finding.message);
      append_member(out, "fix", finding.fix, true);
      out += '}';
    }
    out += "]}";
  }
  return out + "]}\n";
}

}  // namespace relay::app
