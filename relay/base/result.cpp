#include "relay/base/result.h"

namespace relay {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::transient: return "transient";
    case ErrorKind::rejected: return "rejected";
    case ErrorKind::fatal: return "fatal";
    case ErrorKind::fenced: return "fenced";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::cancelled: return "cancelled";
    case ErrorKind::busy: return "busy";
  }
  return "unknown";
}

std::string Error::text() const {
  std::string out = message;
  if (!code.empty()) out += " [" + code + "]";
  if (!hint.empty()) out += "\nhint: " + hint;
  return out;
}

}  // namespace relay
