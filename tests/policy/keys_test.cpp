#include "relay/policy/keys.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace relay;
using namespace relay::policy;

namespace {

struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "relay-keys-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const auto at = (path / name).string();
    std::ofstream(at, std::ios::binary) << text;
    REQUIRE(::chmod(at.c_str(), mode) == 0);
    return at;
  }
  std::filesystem::path path;
};

const std::string kRaw(32, 'r');
const std::string kHex = "7272727272727272727272727272727272727272727272727272727272727272\n";
const std::string kBase64 = "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=\n";
const config::Environment kNothing = [](const std::string&) { return std::nullopt; };

KeySpec in_file(const std::string& file, KeySpec::Encoding encoding = KeySpec::Encoding::base64) {
  return {"k", file, "", "", encoding};
}

std::string loaded(const KeySpec& spec, const config::Environment& environment = kNothing) {
  const auto keys = load_keys({spec}, environment);
  if (!keys) {
    CHECK(keys.error().kind == ErrorKind::fatal);
    CHECK(!keys.error().hint.empty());
    CHECK(keys.error().message.find("cnJy") == std::string::npos);
    return keys.error().code;
  }
  const auto& key = keys->at(spec.id);
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

TEST_CASE("a key comes from a file, a mounted directory or the environment, in three ways of writing") {
  const Directory directory;
  CHECK(loaded(in_file(directory.file("a", kBase64))) == kRaw);
  CHECK(loaded(in_file(directory.file("b", kHex), KeySpec::Encoding::hex)) == kRaw);
  CHECK(loaded(in_file(directory.file("c", kRaw), KeySpec::Encoding::raw)) == kRaw);
  directory.file("k", kBase64);
  CHECK(loaded({"k", "", directory.path.string(), "", {}}) == kRaw);
  const config::Environment environment = [](const std::string& name) {
    return name == "KEY" ? std::optional<std::string>(kBase64) : std::nullopt;
  };
  CHECK(loaded({"k", "", "", "KEY", {}}, environment) == kRaw);
  CHECK(loaded({"k", "", "", "OTHER", {}}, environment) == "policy_key_missing");
}

TEST_CASE("a key that is not there, too short, or not written as it should be is refused") {
  const Directory directory;
  CHECK(loaded(in_file((directory.path / "none").string())) == "policy_key_missing");
  CHECK(loaded(in_file(directory.path.string())) == "policy_key_malformed");
  CHECK(loaded(in_file(directory.file("a", "c2hvcnQ="))) == "policy_key_too_short");
  CHECK(loaded(in_file(directory.file("b", ""))) == "policy_key_too_short");
  CHECK(loaded(in_file(directory.file("c", "no base64!"))) == "policy_key_malformed");
  CHECK(loaded(in_file(directory.file("d", kBase64), KeySpec::Encoding::hex)) == "policy_key_malformed");
  CHECK(loaded(in_file(directory.file("e", std::string(5000, 'a')))) == "policy_key_malformed");
}

TEST_CASE("a key that others can read or change is refused") {
  const Directory directory;
  for (const mode_t mode : {0604, 0644, 0602, 0660, 0620})
    CHECK(loaded(in_file(directory.file("a", kBase64, mode))) == "policy_key_readable_by_others");
  CHECK(loaded(in_file(directory.file("a", kBase64, 0400))) == kRaw);
  // Root's file with a group is how a secret is given to one user that is not root.
  const auto of_root = ::geteuid() == 0 ? kRaw : std::string("policy_key_readable_by_others");
  CHECK(loaded(in_file(directory.file("a", kBase64, 0440))) == of_root);
}

TEST_CASE("core dumps are off once a key was loaded") {
  const Directory directory;
  CHECK(loaded(in_file(directory.file("a", kBase64))) == kRaw);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_CORE, &limit) == 0);
  CHECK(limit.rlim_cur == 0);
  CHECK(::prctl(PR_GET_DUMPABLE) == 0);
}

TEST_CASE("a key's memory is wiped when it is given back") {
  alignas(KeyBytes) unsigned char place[sizeof(KeyBytes)];
  auto* const key = new (place) KeyBytes(std::span(reinterpret_cast<const unsigned char*>(kRaw.data()), kRaw.size()));
  KeyBytes moved(std::move(*key));
  CHECK(key->size() == 0);
  CHECK(moved.size() == 32);
  unsigned char bytes[4] = {1, 2, 3, 4};
  relay::policy::wipe(bytes, sizeof bytes);
  CHECK((bytes[0] | bytes[1] | bytes[2] | bytes[3]) == 0);
  key->~KeyBytes();
}
