// Text that others wrote, made safe for one line of JSON or of a terminal.
#pragma once

#include <string>
#include <string_view>

namespace relay::observe {

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Appends `text` with control characters as \n, \t or \x1b and invalid UTF-8 as U+FFFD; no quotes.
void append_printable(std::string& out, std::string_view text);

}  // namespace relay::observe
