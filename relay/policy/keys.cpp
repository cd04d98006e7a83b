#include "relay/policy/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "relay/policy/byte_text.h"

namespace relay::policy {
namespace {

constexpr const char* kMakeOne = "make one: (umask 077; openssl rand -base64 32 > FILE)";

Error key_error(const KeySpec& spec, const char* code, const std::string& where, const std::string& why,
                const std::string& hint) {
  return {ErrorKind::fatal, code, "reading the key " + spec.id + " of the policy (" + where + "): " + why, hint};
}

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Who but us can read it. A file of root's may be readable for its group: that is how mounted secrets and service
// accounts give it to one user that is not root.
std::string readable_by(const struct stat& file) {
  if ((file.st_mode & S_IRWXO) != 0) return "everybody on the machine may read or change it";
  if ((file.st_mode & S_IWGRP) != 0) return "its group may change it";
  if ((file.st_mode & S_IRGRP) != 0 && file.st_uid == ::geteuid() && file.st_uid != 0) return "its group may read it";
  return {};
}

Result<std::string> read_file(const KeySpec& spec, const std::string& path) {
  constexpr std::size_t kMost = 4096;
  const OpenFile file(path);
  struct stat about {};
  if (file.fd() < 0 || ::fstat(file.fd(), &about) != 0)
    return fail(key_error(spec, "policy_key_missing", "file " + path, std::strerror(errno),
                          std::string("put the key there, readable for this user only; ") + kMakeOne));
  if (!S_ISREG(about.st_mode))
    return fail(key_error(spec, "policy_key_malformed", "file " + path, "it is no ordinary file", kMakeOne));
  if (const auto who = readable_by(about); !who.empty())
    return fail(key_error(spec, "policy_key_readable_by_others", "file " + path, who, "chmod 600 " + path));
  std::string text(kMost + 1, '\0');
  const auto got = ::read(file.fd(), text.data(), text.size());
  if (got < 0)
    return fail(key_error(spec, "policy_key_missing", "file " + path, std::strerror(errno), "look at the file"));
  if (static_cast<std::size_t>(got) > kMost)
    return fail(key_error(spec, "policy_key_malformed", "file " + path, "it is larger than 4 KiB", kMakeOne));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::string where(const KeySpec& spec) {
  if (!spec.environment.empty()) return "environment variable " + spec.environment;
  return "file " + (spec.file.empty() ? spec.directory + "/" + spec.id : spec.file);
}

Result<std::string> read_text(const KeySpec& spec, const config::Environment& environment) {
  if (spec.environment.empty()) return read_file(spec, spec.file.empty() ? spec.directory + "/" + spec.id : spec.file);
  auto value = environment(spec.environment);
  if (!value)
    return fail(key_error(spec, "policy_key_missing", where(spec), "it is not set", "set it, or name a file instead"));
  return std::move(*value);
}

std::optional<std::string> decoded(const KeySpec& spec, const std::string& text) {
  switch (spec.encoding) {
    case KeySpec::Encoding::base64: return from_base64(text);
    case KeySpec::Encoding::hex: return from_hex(text);
    case KeySpec::Encoding::raw: break;
  }
  return text;
}

Result<KeyBytes> load_key(const KeySpec& spec, const config::Environment& environment) {
  RELAY_ASSIGN(auto text, read_text(spec, environment));
  auto bytes = decoded(spec, text);
  wipe(text.data(), text.size());
  if (!bytes)
    return fail(
        key_error(spec, "policy_key_malformed", where(spec),
                  spec.encoding == KeySpec::Encoding::hex ? "it is not hexadecimal" : "it is not base64",
                  "say how it is written with encoding: hex or raw, or make a new one: openssl rand -base64 32"));
  const auto size = bytes->size();
  KeyBytes key(std::span(reinterpret_cast<const unsigned char*>(bytes->data()), size));
  wipe(bytes->data(), size);
  if (size < KeySpec::kBytesMin)
    return fail(key_error(spec, "policy_key_too_short", where(spec),
                          "it has " + std::to_string(size) + " bytes, and 32 are the least", kMakeOne));
  return key;
}

}  // namespace

Result<Keys> load_keys(const std::vector<KeySpec>& specs, const config::Environment& environment) {
  Keys keys;
  if (!specs.empty()) forbid_core_dumps();
  for (const auto& spec : specs) {
    RELAY_ASSIGN(auto key, load_key(spec, environment));
    keys.emplace(spec.id, std::move(key));
  }
  return keys;
}

}  // namespace relay::policy
