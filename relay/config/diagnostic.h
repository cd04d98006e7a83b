// One problem of a configuration, with where it is and what to do. All of a run are reported at once.
#pragma once

#include <string>
#include <vector>

#include "relay/config/value.h"

namespace relay::config {

struct Diagnostic {
  Mark mark;             // file, line, column
  std::string field;     // "pipelines.orders.sink.topic"
  std::string message;   // what is wrong
  std::string hint;      // what to do; may be empty
  bool warning = false;  // a warning does not keep the program from running

  // "file:line:column: error: field: message\n  hint: ..."
  std::string text() const;
};

using Diagnostics = std::vector<Diagnostic>;

// By the order of the files, then line and column; equal places keep the order they were found in.
void sort_by_place(Diagnostics& diagnostics, const std::vector<std::string>& files);

}  // namespace relay::config
