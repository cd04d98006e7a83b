#include "relay/base/arena.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using relay::Arena;

TEST_CASE("copies keep their bytes and addresses while the arena grows") {
  Arena arena;
  std::mt19937 random(1);
  std::vector<std::pair<std::string, std::string_view>> copies;
  for (int i = 0; i < 2'000; ++i) {
    std::string text(random() % 2'000, static_cast<char>('a' + i % 26));
    const auto copy = arena.copy(text);
    copies.emplace_back(std::move(text), copy);
  }
  for (const auto& [text, copy] : copies) REQUIRE(copy == text);
}

TEST_CASE("a null view stays null and an empty one does not become null") {
  Arena arena;
  CHECK(arena.copy(std::string_view{}).data() == nullptr);
  CHECK(arena.copy("").data() != nullptr);
  CHECK(arena.copy("").empty());
}

TEST_CASE("arrays are aligned and zeroed") {
  Arena arena;
  arena.copy("x");
  const auto numbers = arena.array<std::uint64_t>(3);
  CHECK(reinterpret_cast<std::uintptr_t>(numbers.data()) % alignof(std::uint64_t) == 0);
  CHECK(numbers[0] + numbers[1] + numbers[2] == 0);
}

TEST_CASE("something larger than a block gets its own, which reset gives back") {
  Arena arena;
  const std::string large(3 * Arena::kBlockBytes, 'x');
  CHECK(arena.copy(large) == large);
  CHECK(arena.capacity() >= large.size());
  arena.reset(4 * Arena::kBlockBytes);
  CHECK(arena.capacity() <= 4 * Arena::kBlockBytes);
}

TEST_CASE("a steady stream of batches holds a steady amount of memory") {
  Arena arena;
  const std::string row(1'000, 'r');
  std::size_t after_first = 0;
  for (int batch = 0; batch < 50; ++batch) {
    for (int i = 0; i < 1'000; ++i) arena.copy(row);
    if (batch == 1) after_first = arena.capacity();
    arena.reset(2u << 20);
  }
  CHECK(arena.capacity() <= after_first);
  CHECK(arena.capacity() <= 2u << 20);
}
