#include "relay/config/diagnostic.h"

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

}  // namespace relay::config
