// libFuzzer target: the first byte picks the protocol, the rest is a stream of messages, each after its length in one
// byte (255: the rest). Views must stay inside their message; the sanitizers watch the reads.
#include "connectors/postgres/pgoutput.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "connectors/postgres/replication_wire.h"

using namespace relay::connectors::postgres;

namespace {

void inside(std::string_view whole, std::string_view part) {
  if (part.empty()) return;
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) std::abort();
}

void look_at(std::string_view whole, const pgoutput::AnyMessage& message) {
  if (const auto* insert = std::get_if<pgoutput::Insert>(&message))
    for (const auto& column : insert->new_tuple) inside(whole, column.value);
  if (const auto* relation = std::get_if<pgoutput::Relation>(&message))
    for (const auto& column : relation->columns) inside(whole, column.name);
  if (const auto* logical = std::get_if<pgoutput::Message>(&message)) {
    inside(whole, logical->prefix);
    inside(whole, logical->content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  static_cast<void>(decode_server_message(rest));
  pgoutput::Decoder decoder({1 + data[0] % 4, (data[0] & 0x80) != 0});
  while (!rest.empty()) {
    const auto wanted = static_cast<unsigned char>(rest[0]);
    rest.remove_prefix(1);
    const auto bytes = rest.substr(0, wanted == 255 ? rest.size() : wanted);
    rest.remove_prefix(bytes.size());
    if (const auto message = decoder.decode(bytes)) look_at(bytes, *message);
  }
  return 0;
}
