#include "try_command.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>

namespace relay::app::test {
namespace {

std::string contents(std::FILE* file) {
  std::string out(1 << 20, '\0');
  const auto n = ::pread(::fileno(file), out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

}  // namespace

ConfigFile::ConfigFile(const std::string& yaml) {
  static std::atomic<int> next{0};
  const auto name = "relay_app_test_" + std::to_string(::getpid()) + "_" + std::to_string(next++) + ".yaml";
  path_ = std::filesystem::temp_directory_path() / name;
  std::ofstream(path_) << yaml;
}

ConfigFile::~ConfigFile() { std::filesystem::remove(path_); }

Said try_command(const std::shared_ptr<World>& world, const std::vector<std::string>& words, const std::string& typed) {
  const config::Environment environment = [](const std::string&) { return std::nullopt; };
  Said said;
  const auto parsed = parse_command_line(words, environment);
  if (const auto* answered = std::get_if<Answered>(&parsed)) return {answered->code, answered->out, answered->err, ""};
  const auto catalog = fake_catalog(world);
  const auto& invocation = std::get<Invocation>(parsed);
  std::FILE* log = std::tmpfile();
  std::istringstream in(typed + "\n");
  std::ostringstream out, err;
  const Session session{invocation,
                        catalog,
                        environment,
                        in,
                        out,
                        err,
                        observe::make_log_output(invocation.log_format, invocation.log_level, log),
                        !typed.empty(),
                        false};
  said.code = execute(session);
  said.out = out.str();
  said.err = err.str();
  said.log = contents(log);
  std::fclose(log);
  return said;
}

}  // namespace relay::app::test
