// Whatever bytes a file holds, loading ends with diagnostics or values. RELAY_TEST_SEED repeats a run,
// RELAY_TEST_ROUNDS makes it longer.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "shop_spec.h"

using namespace relay::config;
using namespace relay::config::test;

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  char* end = nullptr;
  const auto number = std::strtoull(text, &end, 10);
  REQUIRE_MESSAGE((end != text && *end == '\0'), name << " is no number: " << text);
  return number;
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string random_bytes() {
    std::string out(below(200), '\0');
    for (auto& c : out) c = static_cast<char>(below(256));
    return out;
  }
  std::string random_yaml() {
    static constexpr std::string_view kSyntax = "{}[]:,-?&*!|>'\"%@`# \n\t~<$abx01.";
    std::string out(below(300), '\0');
    for (auto& c : out) c = kSyntax[below(kSyntax.size())];
    return out;
  }
  std::string mutated(std::string text) {
    static const std::string kPieces[] = {
        "{",  "}",  "[",      "]",     ": ",          "- ",   "&a ",      "*a",   "<<: *a",     "\n",
        "  ", "\t", "!!str ", "!<x> ", "|\n",         ">-\n", "\"",       "'",    "${",         "}",
        "$$", "? ", "---\n",  "...\n", "%YAML 1.2\n", "~",    "\xC3\xA4", "\xFF", "type: slot", "tables: [a]"};
    for (auto n = 1 + below(6); n > 0; --n) {
      const auto at = below(text.size() + 1);
      switch (below(4)) {
        case 0:
          text.insert(at, kPieces[below(std::size(kPieces))]);
          break;
        case 1:
          text.erase(at, below(12));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size() + 1), below(40)));
          break;
        default:
          if (at < text.size()) text[at] = static_cast<char>(below(256));
      }
    }
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  std::mt19937_64 random_;
};

void must_end(const std::string& text) {
  const auto loaded = load_texts({{"a", text}, {"b", "version: 1\npipelines: {orders: {batch: 1MiB}}\n"}}, shop_spec(),
                                 environment({{"A", "1"}}));
  for (const auto& d : loaded.diagnostics) {
    REQUIRE(d.mark.line >= 0);
    REQUIRE_FALSE(d.message.empty());
  }
  if (!loaded.has_errors()) REQUIRE_FALSE(loaded.root.display().empty());
}

}  // namespace

TEST_CASE("loading never crashes, whatever the bytes are") {
  const auto seed = number_from_environment("RELAY_TEST_SEED", std::random_device{}());
  const auto rounds = number_from_environment("RELAY_TEST_ROUNDS", 2'000);
  CAPTURE(seed);
  Mutator mutate(seed);
  const auto whole = "x-a: &a {tables: [t]}\nversion: 1\n" +
                     around(
                         "    source:\n      type: slot\n      <<: *a\n      snapshot: {mode: initial}\n"
                         "    batch: 64KiB\n    options: {x: \"${A}\", y: 'z'}\n    policy: >-\n      a\n      b\n");
  REQUIRE(load_shop(whole, {{"A", "1"}}).diagnostics.empty());
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const auto text = i % 4 == 0 ? mutate.random_bytes() : i % 4 == 1 ? mutate.random_yaml() : mutate.mutated(whole);
    CAPTURE(text);
    must_end(text);
  }
}
