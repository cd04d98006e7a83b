#include "connectors/postgres/replication_wire.h"

#include <string>

#include "connectors/postgres/pgoutput.h"
#include "relay/base/bytes.h"

namespace relay::connectors::postgres {
namespace {

void put_u64(char* to, std::uint64_t value) {
  for (int i = 7; i >= 0; --i, value >>= 8) to[i] = static_cast<char>(value & 0xff);
}

}  // namespace

Result<std::variant<XLogData, Keepalive>> decode_server_message(std::string_view bytes) {
  using Message = std::variant<XLogData, Keepalive>;
  ByteReader in(bytes);
  const char type = static_cast<char>(in.u8());
  if (type == 'w') {
    XLogData m{Lsn{in.u64()}, Lsn{in.u64()}, in.i64(), {}};
    m.data = in.bytes(in.remaining());
    if (in.ok()) return Message(m);
  } else if (type == 'k') {
    Keepalive m{Lsn{in.u64()}, in.i64(), false};
    const auto reply = in.u8();
    m.reply_requested = reply == 1;
    if (in.ok() && in.at_end() && reply <= 1) return Message(m);
  }
  return fail(ErrorKind::corrupt, "replication_message_malformed",
              "decoding a message of the walsender (" + std::to_string(bytes.size()) +
                  " bytes): it is neither WAL data nor a keepalive",
              "something between relay and database changes the stream; connect directly to the primary");
}

StatusUpdate encode_status_update(Lsn confirmed, std::int64_t unix_micros, bool request_reply) {
  StatusUpdate out{};
  out[0] = 'r';
  for (const std::size_t at : {1, 9, 17}) put_u64(&out[at], confirmed.value);
  put_u64(&out[25], static_cast<std::uint64_t>(unix_micros - pgoutput::kEpochUnixMicros));
  out[33] = request_reply ? 1 : 0;
  return out;
}

}  // namespace relay::connectors::postgres
