// Actions that need no key: parts of a text are hidden, cut off or made coarser. Each takes a number by its text and
// then gives text, where it says nothing else; a boolean is a wrong type.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "relay/policy/action.h"

namespace relay::policy {

// Each hidden character becomes a `*`. A text with no more characters than are to be kept is hidden whole, so that a
// short one does not leave as it is.
std::unique_ptr<Action> mask_action(std::size_t keep_first, std::size_t keep_last);

std::unique_ptr<Action> truncate_action(std::size_t characters);

// The local part becomes ***, the domain stays. What has no domain behind its last @ (letters, digits, hyphens and at
// least one dot) becomes *** whole.
std::unique_ptr<Action> email_action();

// The domain that such an address keeps, from the @ on; empty when it has none.
std::string_view kept_domain(std::string_view address);

// A number -> the lower end of its bucket, in the type that it had. Beyond 2^53, or no number: a wrong type.
std::unique_ptr<Action> bucket_action(std::int64_t width);

enum class DatePart : std::uint8_t { year, month, day };
// "2024-05-17", also with a time behind it -> "2024-05". Anything else is a wrong type.
std::unique_ptr<Action> date_action(DatePart part);

// An IPv4 address -> its /24, an IPv6 address -> its /48, as "203.0.113.0/24". Anything else is a wrong type.
std::unique_ptr<Action> network_action();

}  // namespace relay::policy
