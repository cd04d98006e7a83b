// One answer of `doctor`: what was looked at, what was found, and the SQL, ACL line or setting that mends it.
#pragma once

#include <string>
#include <vector>

namespace relay {

enum class Severity { ok, note, warning, error };

struct Finding {
  Severity severity = Severity::ok;
  std::string code;     // the refusal's code when `run` would refuse: "publication_missing"
  std::string subject;  // "database", "slot outbox_relay_orders", "topic outbox.event.order"
  std::string message;  // a sentence: what is, and what it means
  std::string fix;      // copy-paste: a statement, a kafka-acls line, a setting; empty when nothing is to be done
};

using Findings = std::vector<Finding>;

}  // namespace relay
