// One event before and after its policy, field by field, side by side. Shows values: only for the person who asked, on
// the terminal that they sit at, never for a log. Pure.
#pragma once

#include <string>

#include "relay/policy/survey.h"

namespace relay::policy {

struct PreviewStyle {
  bool colour = false;
  std::size_t width = 100;  // of the terminal
};

// `after`: what PolicyTransform made of the event, with its original (keep_originals).
std::string preview(const PolicyText& policy, const Event& after, const PreviewStyle& style);

}  // namespace relay::policy
