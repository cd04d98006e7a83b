#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <sstream>

#include "relay/app/commands.h"
#include "relay/migrate/layout.h"

namespace relay::app {
namespace {

// 20260131235959, in UTC.
std::uint64_t version_of_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[16] = {};
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &utc);
  return std::stoull(text);
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

tl::unexpected<Error> cannot_write(const std::filesystem::path& path, const std::string& why, std::string hint) {
  return fail(ErrorKind::fatal, "migration_not_written", "writing " + path.string() + ": " + why, std::move(hint));
}

// The files that lie where new ones are to go.
std::vector<migrate::File> files_there(const std::filesystem::path& root, const std::vector<migrate::File>& fresh) {
  std::set<std::filesystem::path> folders;
  for (const auto& file : fresh) folders.insert(std::filesystem::path(file.path).parent_path());
  std::vector<migrate::File> out;
  for (const auto& folder : folders) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(root / folder, none))
      if (entry.is_regular_file() && entry.path().filename().string().find("outbox_relay_") != std::string::npos)
        out.push_back({(folder / entry.path().filename()).string(), contents(entry.path())});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

// Nothing that is there is written over: a migration that ran must stay as it was.
Result<void> write_files(const Session& session, const std::vector<migrate::File>& files) {
  const std::filesystem::path root = session.invocation.migrate.directory;
  for (const auto& file : files) {
    const auto path = root / file.path;
    if (std::filesystem::exists(path) && contents(path) != file.text)
      return cannot_write(path, "it is there already, with another content",
                          "choose another --out, or --first with a higher version");
  }
  for (const auto& file : files) {
    const auto path = root / file.path;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary);
    if (error || !(out << file.text).flush())
      return cannot_write(path, error ? error.message() : std::strerror(errno), "choose another --out");
    session.out << path.string() << "\n";
  }
  return {};
}

// For psql what can be piped into it; for the others each file under its name.
void print_files(const Session& session, const std::vector<migrate::Migration>& migrations,
                 const std::vector<migrate::File>& files) {
  const auto& options = session.invocation.migrate;
  if (options.tool == "psql") {
    if (options.down)
      for (auto m = migrations.rbegin(); m != migrations.rend(); ++m) session.out << m->down << "\n";
    else
      for (const auto& m : migrations) session.out << m.up << "\n";
    return;
  }
  for (const auto& file : files) session.out << "==> " << file.path << " <==\n" << file.text << "\n";
}

}  // namespace

ExitCode migrate_print_command(const Session& session) {
  const auto& options = session.invocation.migrate;
  const auto migrations = migrate::plan(options.request);
  if (!migrations) return report(session, migrations.error());
  const auto first = options.first.value_or(version_of_now());
  const auto files = migrate::layout(options.tool, *migrations, first);
  if (options.directory.empty()) {
    print_files(session, *migrations, files);
    return ExitCode::ok;
  }
  const auto there = files_there(options.directory, files);
  const auto wanted = migrate::continued_layout(options.tool, *migrations, first, there);
  if (!wanted) return report(session, wanted.error());
  for (const auto& name : wanted->there) session.out << "already there  " << name << "\n";
  if (const auto written = write_files(session, wanted->files); !written) return report(session, written.error());
  return ExitCode::ok;
}

}  // namespace relay::app
