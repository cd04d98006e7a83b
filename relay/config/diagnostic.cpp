#include "relay/config/diagnostic.h"

#include <algorithm>
#include <tuple>

namespace relay::config {

std::string Diagnostic::text() const {
  std::string out;
  if (!mark.file.empty()) out += mark.file + ":";
  if (mark.line > 0) out += std::to_string(mark.line) + ":" + std::to_string(mark.column) + ":";
  if (!out.empty()) out += " ";
  out += warning ? "warning: " : "error: ";
  if (!field.empty()) out += field + ": ";
  out += message;
  if (!hint.empty()) out += "\n  hint: " + hint;
  return out;
}

void sort_by_place(Diagnostics& diagnostics, const std::vector<std::string>& files) {
  const auto place = [&](const Diagnostic& d) {
    const auto file = std::find(files.begin(), files.end(), d.mark.file) - files.begin();
    return std::tuple(file, d.mark.line, d.mark.column);
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [&](const Diagnostic& a, const Diagnostic& b) { return place(a) < place(b); });
}

}  // namespace relay::config
