// Free text in which something may stand that must not leave: what is found is taken out, the rest stays. Only what the
// detectors know is found; a name or an address is not. Where that is not enough, the field must not be kept.
//
//   email   something@domain with a dot in the domain
//   card    13 to 19 digits that pass Luhn's check, with single spaces or hyphens between them or without
//   iban    two letters, two digits, 11 to 30 letters and digits, with single spaces or without, remainder 1 by 97
//   own     an RE2 expression each
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "relay/policy/action.h"

namespace relay::policy {

struct Found {
  std::size_t begin = 0, end = 0;  // bytes of the text
  std::size_t detector = 0;        // index: in the order of Detectors::names()
};

struct OwnPattern {
  std::string name;
  std::string expression;
};

class Detectors {
 public:
  // The error: what is wrong with an expression, by its name.
  struct Problem {
    std::string name;
    std::string message;
  };
  static tl::expected<Detectors, Problem> make(bool email, bool card, bool iban, const std::vector<OwnPattern>& own);
  static Detectors all();  // the built-in ones

  Detectors(Detectors&&) noexcept;
  Detectors& operator=(Detectors&&) noexcept;
  ~Detectors();

  const std::vector<std::string>& names() const { return names_; }
  // Everything found, in the order of the text, overlaps joined; `found` is emptied first. Keeps buffers of its own.
  void find(std::string_view text, std::vector<Found>& found) const;

 private:
  struct Own;
  Detectors();
  std::vector<std::string> names_;
  std::size_t email_, card_, iban_;  // detector indexes; kOff
  std::vector<Own> own_;
  static constexpr std::size_t kOff = static_cast<std::size_t>(-1);
};

// Finds become "[email]", "[card]" ...; a number with a find in it becomes text. A boolean leaves as it is.
std::unique_ptr<Action> detect_action(Detectors detectors);

}  // namespace relay::policy
