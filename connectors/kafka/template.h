// A text with the names of roles in braces: "outbox.event.{aggregate_type}". Parsed once, rendered per event. Pure.
//
//   {aggregate_type} {aggregate_id} {event_type} {id}   what the event carries
//   {table}                                             the table that the row came from, "schema.table"
//   {pipeline}                                          the name of the pipeline
//   {{ and }}                                           a brace
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/model/event.h"

namespace relay::connectors::kafka {

enum class Role { aggregate_type, aggregate_id, event_type, id, table };

class Template {
 public:
  struct Problem {
    std::string message;
    std::string hint;
  };
  struct Parsed;

  Template() = default;  // the empty text
  static Parsed parse(std::string_view text, std::string_view pipeline);

  // True when every event gives the same text: constant().
  bool is_constant() const { return segments_.empty(); }
  const std::string& constant() const { return suffix_; }
  // The plain text in front of the first role.
  const std::string& constant_prefix() const { return segments_.empty() ? suffix_ : segments_.front().before; }
  // Set when the whole template is one role, so that a caller can use the event's own view instead of a copy.
  std::optional<Role> sole_role() const;

  // Appends the text for this event. False when a role that it names is NULL; `out` is then of no use.
  bool render(const Event& event, std::string& out) const;

 private:
  struct Segment {
    std::string before;  // plain text in front of the role
    Role role;
  };
  std::vector<Segment> segments_;
  std::string suffix_;
};

struct Template::Parsed {
  Template value;
  std::optional<Problem> problem;  // set: `value` is of no use
};

// What the event says for a role. data() == nullptr: NULL.
std::string_view value_of(Role role, const Event& event);

}  // namespace relay::connectors::kafka
