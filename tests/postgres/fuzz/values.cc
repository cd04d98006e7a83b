// libFuzzer target: the text forms of PostgreSQL's values. What is taken must come out as JSON.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "connectors/postgres/change_condition.h"
#include "connectors/postgres/json_types.h"
#include "relay/base/json_text.h"

using namespace relay::connectors::postgres;

// The first byte chooses the type; json and numbers are taken as the server wrote them, so they are not checked here.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const JsonTypes types({{1009, 'b', 25, ',', 0, {}},
                                {1020, 'b', 603, ';', 0, {}},
                                {50001, 'c', 0, ',', 0, {{"a", 25}, {"b", 1009}, {"c", 16}}},
                                {50002, 'b', 50001, ',', 0, {}}});
  static constexpr std::uint32_t kTypes[] = {16, 25, 1114, 1184, 1009, 1020, 50001, 50002};
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string out;
  if (append_json(*types.find(kTypes[data[0] % std::size(kTypes)]), text, out) && !relay::is_json(out)) std::abort();
  if (const auto condition = ChangeCondition::parse(text)) {
    const std::vector<std::string_view> values(condition->columns().size(), "1");
    condition->holds(values);
  }
  return 0;
}
