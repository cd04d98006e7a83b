// A validated configuration value: what the loader made of one node of the YAML and its FieldSpec. Defaults are filled
// in, units are parsed, ${VAR}s are replaced. Asking for the wrong type is a programmer's error (RELAY_ASSERT).
// Immutable after loading; safe to read from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "relay/base/secret.h"

namespace relay::config {

// Where a value was written; line and column from 1, 0 when it is a default.
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;
};

class Value {
 public:
  using List = std::vector<Value>;
  using Entries = std::vector<std::pair<std::string, Value>>;  // in the order written; an object in the order of its fields

  Value() = default;
  // `shown` is what display() prints for a scalar: the text as it was written, before ${VAR}s were replaced.
  template <typename T>
  Value(T data, Mark mark, bool written, std::string shown = {})
      : data_(std::move(data)), mark_(std::move(mark)), written_(written), shown_(std::move(shown)) {}

  bool has_value() const { return !std::holds_alternative<std::monostate>(data_); }  // written or defaulted
  explicit operator bool() const { return has_value(); }
  bool was_written() const { return written_; }
  const Mark& mark() const { return mark_; }

  bool as_bool() const;
  std::int64_t as_int() const;
  const std::string& as_string() const;  // string and path (made absolute)
  const Secret& as_secret() const;
  std::chrono::milliseconds as_duration() const;
  std::uint64_t as_size() const;   // bytes
  const List& items() const;       // list; empty when there is no value
  const Entries& entries() const;  // map and object; empty when there is no value

  // A field of an object or map; a Value without value when it is absent. For a variant, "type" is a field like others.
  const Value& operator[](std::string_view key) const;

  bool is_map() const { return std::holds_alternative<Entries>(data_); }  // also objects and variants
  bool is_list() const { return std::holds_alternative<List>(data_); }

  // How it was written, in one line of YAML, for `config show` and diagnostics. Secrets as ***, and a ${VAR} as ${VAR},
  // so that nothing that came from the environment is ever printed.
  std::string display() const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::string, Secret, std::chrono::milliseconds, std::uint64_t, List,
               Entries>
      data_;
  Mark mark_;
  bool written_ = false;
  std::string shown_;
};

}  // namespace relay::config
