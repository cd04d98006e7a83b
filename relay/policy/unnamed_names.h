// Counts by name, in bounded memory, for names that foreign data brings along. Writes into a list that others read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::policy {

struct Unnamed;

// What may be shown as the name of a column, a member or a type: a word of letters, digits, _, - and . that begins with
// a letter or _ and has no more than six digits. Whatever else stands there may be a value in disguise.
bool is_plain_name(std::string_view name);

class NameCounts {
 public:
  explicit NameCounts(std::vector<Unnamed>& list) : list_(list) {}

  // One more of "<group><separator><name>".
  void count(std::string_view group, std::string_view separator, std::string_view name);

  // `say` is called with the names that are new since the last time, as "a, b", when there are any.
  template <typename Say>
  void tell(Say say) {
    if (fresh_.empty()) return;
    say(fresh_);
    fresh_.clear();
  }

 private:
  struct Known {
    std::string group, name;
    std::size_t index;  // into the list
  };
  Known& known(std::string_view group, std::string_view separator, std::string_view name);
  std::size_t listed(std::string text);

  std::vector<Unnamed>& list_;
  std::vector<Known> known_;
  std::size_t next_ = 0;  // events of one kind bring their names in the same order
  std::string fresh_;
};

}  // namespace relay::policy
