// PostgreSQL's text form of a value -> JSON, in the form that the server's own to_json() gives it. Pure; bytes are foreign.
//
// Numbers keep their digits (NaN and infinity become strings), json and jsonb are embedded as they are, timestamps are ISO
// 8601, arrays and composite values become arrays and objects, everything else a string of the text form: enums, ranges,
// bytea in hexadecimal form, intervals, uuid. https://www.postgresql.org/docs/current/functions-json.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::connectors::postgres {

struct JsonType {
  enum class Kind : std::uint8_t { text, number, boolean, json, timestamp, timestamptz, array, vector, composite };
  struct Attribute {
    std::string name;
    const JsonType* type = nullptr;
  };

  Kind kind = Kind::text;
  char delimiter = ',';               // between the elements of an array
  const JsonType* element = nullptr;  // of an array or vector
  std::vector<Attribute> attributes;  // of a composite type
};

// Appends the value. False when the text is none of that type, or no UTF-8; `out` then holds a part of it.
bool append_json(const JsonType& type, std::string_view text, std::string& out);

}  // namespace relay::connectors::postgres
