// An UPDATE that moves a row of a partitioned table to another partition arrives as a delete and, next, an insert of
// the same row. The insert is no new event. Pure.
//
// The executor writes both in one go; only what a BEFORE INSERT trigger of the other partition writes can come between.
// So the last few deletes of the transaction are remembered, and a transaction that purges millions of rows costs
// nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace relay::connectors::postgres {

class RowMoves {
 public:
  static constexpr std::size_t kRemembered = 64;

  void begin() { size_ = 0; }

  void deleted(std::string_view table, std::string_view id) {
    auto& entry = recent_[next_];
    entry.table = table;
    entry.id = id;
    next_ = (next_ + 1) % kRemembered;
    size_ = std::min(size_ + 1, kRemembered);
  }

  // True when this insert is the second half of a move; each delete is half of one move only.
  bool is_second_half(std::string_view table, std::string_view id) {
    for (std::size_t i = 1; i <= size_; ++i) {
      auto& entry = recent_[(next_ + kRemembered - i) % kRemembered];
      if (entry.table != table || entry.id != id) continue;
      entry.table.clear();
      return true;
    }
    return false;
  }

 private:
  struct Entry {
    std::string table, id;
  };
  std::array<Entry, kRemembered> recent_;
  std::size_t next_ = 0;
  std::size_t size_ = 0;
};

}  // namespace relay::connectors::postgres
