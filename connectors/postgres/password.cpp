#include "connectors/postgres/password.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

extern char** environ;

namespace relay::connectors::postgres {
namespace {

constexpr Millis kCommandLimit{10'000};
constexpr std::size_t kPasswordBytesMax = 64 * 1024;

tl::unexpected<Error> unreadable(std::string what, std::string hint) {
  return fail(ErrorKind::fatal, "password_unreadable", "reading the database password: " + std::move(what),
              std::move(hint));
}

Secret without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return Secret(std::move(text));
}

Result<Secret> from_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf())))
    return unreadable("cannot read " + path + ": " + std::strerror(errno),
                      "make database.password_file readable for the user that runs the relay");
  auto password = without_line_break(std::move(text).str());
  if (password.empty()) return unreadable(path + " is empty", "write the password into database.password_file");
  return password;
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { [[maybe_unused]] auto made = ::pipe2(ends, O_CLOEXEC); }
  ~Pipe() {
    for (int end : ends)
      if (end >= 0) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_write() {
    ::close(ends[1]);
    ends[1] = -1;
  }
};

// What the command writes until it closes its output; false when it takes too long or writes too much.
bool read_all(int fd, std::string& text) {
  const auto until = system_clock().now() + kCommandLimit;
  std::array<char, 4096> chunk;
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(until - system_clock().now());
    pollfd readable{fd, POLLIN, 0};
    if (left <= Millis{0} || text.size() > kPasswordBytesMax) return false;
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    const auto n = ::read(fd, chunk.data(), chunk.size());
    if (n == 0) return true;
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

Result<Secret> from_command(const std::vector<std::string>& command) {
  const std::string hint = "database.password_command must print the password to its standard output and exit with 0";
  Pipe pipe;
  if (pipe.ends[0] < 0) return unreadable("cannot make a pipe: " + std::string(std::strerror(errno)), "");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int spawned = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return unreadable("cannot run " + command.front() + ": " + std::strerror(spawned), hint);
  pipe.close_write();
  std::string text;
  const bool complete = read_all(pipe.ends[0], text);
  if (!complete) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  auto password = without_line_break(std::move(text));
  if (!complete) return unreadable(command.front() + " did not finish within 10 s", hint);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return unreadable(command.front() + " failed", hint);
  if (password.empty()) return unreadable(command.front() + " printed nothing", hint);
  return password;
}

}  // namespace

Result<std::optional<Secret>> read_password(const ConnectionConfig& config) {
  if (!config.password_file.empty())
    return from_file(config.password_file).map([](Secret s) { return std::optional(s); });
  if (!config.password_command.empty())
    return from_command(config.password_command).map([](Secret s) { return std::optional(s); });
  return std::optional<Secret>{};
}

}  // namespace relay::connectors::postgres
