// A path to values of a JSON document, as policies write it. Pure.
//
//   $                    the document itself
//   $.a.b  $['odd name']  members by name ("" works too)
//   $.*                  any member of an object
//   $.items[0]  $.items[*]  an element by its index, any element of an array
//   $..ssn  $..['ssn']   a member of that name at any depth
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace relay::policy {

struct PathStep {
  enum class Kind : std::uint8_t { member, any_member, element, any_element };
  Kind kind = Kind::member;
  bool deep = false;        // "..": at any depth below what is before
  std::string name;         // member
  std::uint64_t index = 0;  // element

  friend bool operator==(const PathStep&, const PathStep&) = default;
};

struct PathProblem {
  std::size_t position = 0;  // of the byte that is wrong, from 0
  std::string message;
};

struct JsonPath {
  static constexpr std::size_t kStepsMax = 60;

  std::vector<PathStep> steps;

  static tl::expected<JsonPath, PathProblem> parse(std::string_view text);

  // One spelling for each path: $.a for $['a']. What keys are derived from, so it never changes between versions.
  std::string text() const;

  friend bool operator==(const JsonPath&, const JsonPath&) = default;
};

// Negative, 0 or positive, as a is less, equally or more specific than b: compared step by step from the end, a name or
// an index before `*`, a step without `..` before one with it, then the longer path. 0 only for paths that match at
// places of which neither is the more specific; compare_paths() then goes by their text, so that the order is total.
int compare_paths(const JsonPath& a, const JsonPath& b);

}  // namespace relay::policy
