// Runs a command line against the fake connectors and keeps what it said.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "fake_connectors.h"
#include "relay/app/commands.h"

namespace relay::app::test {

// A configuration file that is gone when the test ends.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& yaml);
  ~ConfigFile();
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline const std::string kOrders =
    "database: {url: \"postgresql://relay:hunter2@db/shop\"}\n"
    "pipelines:\n"
    "  orders: {source: {type: slot}, policy: none, sink: {type: memory}}\n";
inline const std::string kTwo = kOrders + "  other: {source: {type: slot}, policy: none, sink: {type: memory}}\n";

struct Said {
  ExitCode code = ExitCode::ok;
  std::string out, err, log;

  bool has(std::string_view words) const { return (out + err + log).find(words) != std::string::npos; }
};

// `words`: the command line after the program's name; `typed`: what a person would type, empty when nobody sits there.
Said try_command(const std::shared_ptr<World>& world, const std::vector<std::string>& words,
                 const std::string& typed = "");

}  // namespace relay::app::test
