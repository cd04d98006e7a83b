// Which of librdkafka's options an operator may set, which belong to the relay and why. Pure: librdkafka checks names and
// values without any I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relay::connectors::kafka {

struct OptionProblem {
  std::string message;  // never the value
  std::string hint;
};

// What is wrong with `librdkafka: {name: value}`, or nullopt.
std::optional<OptionProblem> check_option(const std::string& name, const std::string& value);

// The same for a name whose value is in a file, which is not read.
std::optional<OptionProblem> check_option_name(const std::string& name);

// Options of OAUTHBEARER over OIDC, which the relay carries out itself (oidc_token.h), whatever librdkafka was built with.
bool is_oidc_option(std::string_view name);

// Values of these are never shown.
bool is_secret_option(std::string_view name);

}  // namespace relay::connectors::kafka
