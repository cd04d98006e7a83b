// What travels inside CopyData while a slot is streamed: XLogData and keepalives from the server, status updates to it.
// https://www.postgresql.org/docs/current/protocol-replication.html (START_REPLICATION). Bytes in, values out; no I/O.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>

#include "relay/base/result.h"
#include "relay/model/lsn.h"

namespace relay::connectors::postgres {

// 'w'. A logical walsender puts the LSN of the change into both positions (0 for what belongs to the next message, such
// as Relation), so wal_end tells nothing about the end of the server's WAL; keepalives do.
struct XLogData {
  Lsn data_start, wal_end;
  std::int64_t send_time = 0;  // microseconds since 2000-01-01
  std::string_view data;       // a view into the bytes: one pgoutput message
};

// 'k'. Everything that was committed up to wal_end and concerns this slot has been sent before.
struct Keepalive {
  Lsn wal_end;
  std::int64_t send_time = 0;
  bool reply_requested = false;
};

// Kind corrupt, code replication_message_malformed, for anything else.
Result<std::variant<XLogData, Keepalive>> decode_server_message(std::string_view bytes);

// 'r'. `confirmed` is sent as written, flushed and applied: with `written` ahead, an idle server would stop telling its
// position. 0 confirms nothing.
using StatusUpdate = std::array<char, 34>;
StatusUpdate encode_status_update(Lsn confirmed, std::int64_t unix_micros, bool request_reply);

}  // namespace relay::connectors::postgres
