// Migrations in the form of the migration tool in use. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/migrate/plan.h"

namespace relay::migrate {

struct File {
  std::string path;  // relative to where the tool looks
  std::string text;
};

// The tools that layout() knows, in the order of the documentation.
const std::vector<std::string>& tools();

// Every file of the migrations for `tool`, which is one of tools(). `first` is the version of the first migration,
// digits only, for tools that number theirs; the others follow one by one. A time of day in it is counted as a number.
std::vector<File> layout(std::string_view tool, const std::vector<Migration>& migrations, std::uint64_t first);

struct Continued {
  std::vector<File> files;         // to be written
  std::vector<std::string> there;  // migrations that are there already
};

// The same for a directory in which `there` lies from earlier: what is there is left out, and numbers and dependencies
// go on from it. Refuses with code migration_not_written a migration that is there with another text, where the tool
// stops at two files of one name.
Result<Continued> continued_layout(std::string_view tool, const std::vector<Migration>& migrations, std::uint64_t first,
                                   const std::vector<File>& there);

}  // namespace relay::migrate
