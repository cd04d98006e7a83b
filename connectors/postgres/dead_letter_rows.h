// Events as the array parameters of one INSERT. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/model/event.h"

namespace relay::connectors::postgres {

class DeadLetterRows {
 public:
  void add(const Event& event);
  std::size_t count() const { return count_; }
  std::size_t bytes() const;  // of all parameters

  // The pipeline and the arrays, in the order of the statement; empties this.
  std::vector<std::optional<std::string>> take_parameters(const std::string& pipeline);

 private:
  static constexpr std::size_t kColumns = 15;
  void put(std::size_t column, std::string_view text);  // data() == nullptr: NULL

  std::array<std::string, kColumns> arrays_;
  std::size_t count_ = 0;
};

// [{"name": ..., "value": ...}, ...] in the order of the headers. Bytes that are no UTF-8 are replaced.
std::string headers_json(std::span<const Header> headers);

}  // namespace relay::connectors::postgres
