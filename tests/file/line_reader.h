// Reads the sinks' lines back as another program would, and a directory that removes itself.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/sink_contract_events.h"

namespace relay::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "relay-file-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string from_base64(std::string_view text) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = (bits << 6) | static_cast<std::uint32_t>(kAlphabet.find(c));
    count += 6;
    if (count >= 8) out += static_cast<char>((bits >> (count -= 8)) & 0xff);
  }
  return out;
}

// A field that is text, or "<name>_base64", or null.
inline std::optional<std::string> text_field(const nlohmann::ordered_json& object, const std::string& name) {
  if (object.contains(name + "_base64")) return from_base64(object[name + "_base64"].get<std::string>());
  REQUIRE(object.contains(name));
  if (object[name].is_null()) return std::nullopt;
  return object[name].get<std::string>();
}

// Takes the payload's own bytes out of the line before anything parses them, so that no number is changed on the way.
inline contract::ReadEvent read_line(std::string line) {
  using nlohmann::ordered_json;
  contract::ReadEvent event;
  const std::string begin = ",\"payload\":";
  std::string payload;
  if (const auto at = line.find(begin); at != std::string::npos) {
    const auto end = line.rfind(",\"headers\":{");
    REQUIRE(end != std::string::npos);
    payload = line.substr(at + begin.size(), end - at - begin.size());
    line.replace(at + begin.size(), payload.size(), "0");
  }
  const auto object = ordered_json::parse(line);
  event.sequence = object["sequence"].get<std::uint64_t>();
  event.id = text_field(object, "id").value_or("");
  event.aggregate_type = text_field(object, "aggregate_type").value_or("");
  event.aggregate_id = text_field(object, "aggregate_id").value_or("");
  event.event_type = text_field(object, "event_type").value_or("");
  if (payload.empty()) {
    event.payload = text_field(object, "payload");
  } else if (payload.front() == '"') {
    event.payload = ordered_json::parse(payload).get<std::string>();
  } else if (payload != "null") {
    event.payload = payload;
  }
  for (const auto& [name, value] : object["headers"].items()) {
    const bool binary = name.ends_with("_base64");
    const auto plain = binary ? name.substr(0, name.size() - 7) : name;
    event.headers.emplace_back(plain, text_field(object["headers"], plain));
  }
  return event;
}

// Whole lines only.
inline std::vector<contract::ReadEvent> read_lines(std::string_view text) {
  std::vector<contract::ReadEvent> events;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    events.push_back(read_line(std::string(text.substr(0, end))));
    text.remove_prefix(end + 1);
  }
  return events;
}

}  // namespace relay::test
