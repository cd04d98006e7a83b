// HMAC, HKDF and SIV against the vectors of their RFCs, and the texts around them.
#include <doctest/doctest.h>

#include <vector>

#include "relay/policy/aes_siv.h"
#include "relay/policy/byte_text.h"
#include "relay/policy/hmac_sha256.h"

using namespace relay::policy;

namespace {

std::string bytes(std::string_view hex) {
  const auto out = from_hex(hex);
  REQUIRE(out.has_value());
  return *out;
}

std::span<const unsigned char> key(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string tag(const std::string& with, std::string_view message) {
  const auto tag = HmacSha256(key(with)).tag(message);
  return {reinterpret_cast<const char*>(tag.data()), tag.size()};
}

std::string run(int first, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(first + i);
  return out;
}

std::string derived(const std::string& ikm, const std::string& salt, const std::string& info, std::size_t size) {
  const auto out = hkdf_sha256(key(ikm), key(salt), info, size);
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

}  // namespace

TEST_CASE("HMAC-SHA-256 gives the results of RFC 4231") {
  CHECK(tag(std::string(20, '\x0b'), "Hi There") ==
        bytes("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
  CHECK(tag("Jefe", "what do ya want for nothing?") ==
        bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
  CHECK(tag(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        bytes("773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
  CHECK(tag(run(1, 25), std::string(50, '\xcd')) ==
        bytes("82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"));
  CHECK(tag(std::string(20, '\x0c'), "Test With Truncation").substr(0, 16) ==
        bytes("a3b6167473100ee06e0c796c2955552b"));
  CHECK(tag(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        bytes("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
  CHECK(tag(std::string(131, '\xaa'),
            "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
            "hashed "
            "before being used by the HMAC algorithm.") ==
        bytes("9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"));
}

TEST_CASE("HKDF-SHA-256 gives the results of RFC 5869") {
  CHECK(derived(std::string(22, '\x0b'), run(0, 13), run(0xf0, 10), 42) ==
        bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
  CHECK(derived(run(0, 80), run(0x60, 80), run(0xb0, 80), 82) ==
        bytes("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da327560"
              "0c2f09b"
              "8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"));
  CHECK(derived(std::string(22, '\x0b'), "", "", 42) ==
        bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"));
}

TEST_CASE("AES-SIV gives the results of RFC 5297, both ways") {
  struct Vector {
    std::string key;
    std::vector<std::string> associated;
    std::string text, sealed;
  };
  const std::vector<Vector> vectors{
      {"fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       {"101112131415161718191a1b1c1d1e1f2021222324252627"},
       "112233445566778899aabbccddee",
       "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"},
      {"7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
       {"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100", "102030405060708090a0",
        "09f911029d74e35bd84156c5635688c0"},
       "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
       "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9"
       "c485b"
       "62a3fd5c0d"}};
  for (const auto& vector : vectors) {
    std::vector<std::string> associated;
    for (const auto& data : vector.associated) associated.push_back(bytes(data));
    const std::vector<std::string_view> views(associated.begin(), associated.end());
    AesSiv siv(key(bytes(vector.key)));
    for (int again = 0; again < 2; ++again) {
      std::string sealed;
      REQUIRE(siv.seal(views, bytes(vector.text), sealed));
      CHECK(sealed == bytes(vector.sealed));
      CHECK(siv.open(views, sealed) == bytes(vector.text));
      sealed[17] = static_cast<char>(sealed[17] ^ 1);
      CHECK(!siv.open(views, sealed));
    }
    CHECK(!siv.open(views, "short"));
  }
}

TEST_CASE("AES-256-SIV opens what it sealed, of any length, and nothing of another key") {
  AesSiv one(key(run(1, 64))), other(key(run(2, 64)));
  for (std::size_t size = 1; size < 70; ++size) {
    const std::string text(size, 'x');
    std::string sealed;
    REQUIRE(one.seal({}, text, sealed));
    CHECK(sealed.size() == size + AesSiv::kIvBytes);
    CHECK(one.open({}, sealed) == text);
    CHECK(!other.open({}, sealed));
  }
}

TEST_CASE("base64 and hexadecimal are read strictly") {
  std::string text;
  append_base64url(bytes("fbefbe"), text);
  CHECK(text == "----");
  text.clear();
  append_base64url("a", text);
  CHECK(text == "YQ");
  CHECK(from_base64("YWJj\n") == "abc");
  CHECK(from_base64("YWI=") == "ab");
  CHECK(from_base64("YWI") == "ab");
  CHECK(from_base64("-_-_") == from_base64("+/+/"));
  CHECK(!from_base64("YWJ"));  // bits beyond the last byte
  CHECK(!from_base64("Y"));
  CHECK(!from_base64("YW Jj"));
  CHECK(from_hex("00fF\n") == std::string("\0\xff", 2));
  CHECK(!from_hex("0"));
  CHECK(!from_hex("0g"));
}
