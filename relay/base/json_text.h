// JSON as text: telling whether bytes are JSON, and appending values to a line. Pure.
//
// The syntax check is ours because the libraries parse numbers while they check, and refuse what does not fit into a
// double; PostgreSQL's numeric, and therefore its jsonb, has no such limit.
#pragma once

#include <string>
#include <string_view>

namespace relay {

bool is_utf8(std::string_view bytes);

// RFC 8259, in UTF-8. Any nesting depth, any number.
bool is_json(std::string_view text);

// REQUIRES: is_json(json). Line breaks between tokens are taken out; all else stays as it is, numbers included.
void append_on_one_line(std::string_view json, std::string& out);

// A quote, a backslash or a control character, as it is written inside of a JSON string.
void append_escaped(unsigned char c, std::string& out);

// REQUIRES: is_utf8(text). With the quotes.
void append_quoted(std::string_view text, std::string& out);

// Standard alphabet with padding, with the quotes.
void append_base64(std::string_view bytes, std::string& out);

}  // namespace relay
