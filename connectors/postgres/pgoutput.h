// The messages of PostgreSQL's pgoutput plugin, protocol versions 1 to 4: bytes in, values out. No I/O.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html (one struct per message, its field
// names), https://www.postgresql.org/docs/current/protocol-logical-replication.html
//
// Views point into the decoded bytes; spans into the decoder, until its next decode(). Times are PostgreSQL's:
// microseconds since 2000-01-01. Anything unexpected, down to a byte too many or an unknown flag, is an error of kind
// corrupt, code pgoutput_malformed: a message that is not understood whole is not used at all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/base/bytes.h"
#include "relay/base/result.h"
#include "relay/model/lsn.h"

namespace relay::connectors::postgres::pgoutput {

// TupleData's column: 'n' NULL, 'u' unchanged TOAST value (not sent), 't' text, 'b' binary.
struct TupleColumn {
  char kind = 'n';
  std::string_view value;
};
using TupleData = std::span<const TupleColumn>;

struct Begin {
  Lsn final_lsn;  // of the commit record; the commit LSN
  std::int64_t commit_time = 0;
  std::uint32_t xid = 0;
};

struct Message {
  std::optional<std::uint32_t> xid;  // only inside a streamed transaction
  bool transactional = false;
  Lsn lsn;
  std::string_view prefix, content;
};

struct Commit {
  std::uint8_t flags = 0;  // unused
  Lsn commit_lsn, end_lsn;
  std::int64_t commit_time = 0;
};

struct Origin {
  Lsn commit_lsn;  // on the origin server
  std::string_view name;
};

struct RelationColumn {
  bool key = false;  // flag 1: part of the replica identity
  std::string_view name;
  std::uint32_t type_oid = 0;
  std::int32_t type_modifier = 0;
};

struct Relation {
  std::optional<std::uint32_t> xid;
  std::uint32_t oid = 0;
  std::string_view nspname;  // as sent: empty means pg_catalog
  std::string_view relname;
  char replica_identity = 'd';  // pg_class.relreplident
  std::span<const RelationColumn> columns;
};

struct Type {
  std::optional<std::uint32_t> xid;
  std::uint32_t oid = 0;
  std::string_view nspname, name;
};

struct Insert {
  std::optional<std::uint32_t> xid;
  std::uint32_t relation_oid = 0;
  TupleData new_tuple;
};

struct Update {
  std::optional<std::uint32_t> xid;
  std::uint32_t relation_oid = 0;
  char old_kind = 0;  // 'K': old_tuple holds the key, 'O': the whole row, 0: none was sent
  TupleData old_tuple, new_tuple;
};

struct Delete {
  std::optional<std::uint32_t> xid;
  std::uint32_t relation_oid = 0;
  char old_kind = 'K';  // 'K' or 'O'
  TupleData old_tuple;
};

struct Truncate {
  std::optional<std::uint32_t> xid;
  bool cascade = false, restart_identity = false;
  std::span<const std::uint32_t> relation_oids;
};

struct StreamStart {
  std::uint32_t xid = 0;
  bool first_segment = false;
};
struct StreamStop {};
struct StreamCommit {
  std::uint32_t xid = 0;
  std::uint8_t flags = 0;
  Lsn commit_lsn, end_lsn;
  std::int64_t commit_time = 0;
};
struct StreamAbort {
  std::uint32_t xid = 0, subxid = 0;
  Lsn abort_lsn;  // with streaming 'parallel' only (protocol version 4), otherwise 0
  std::int64_t abort_time = 0;
};

struct BeginPrepare {
  Lsn prepare_lsn, end_lsn;
  std::int64_t prepare_time = 0;
  std::uint32_t xid = 0;
  std::string_view gid;
};
struct Prepare {
  std::uint8_t flags = 0;
  Lsn prepare_lsn, end_lsn;
  std::int64_t prepare_time = 0;
  std::uint32_t xid = 0;
  std::string_view gid;
};
struct CommitPrepared {
  std::uint8_t flags = 0;
  Lsn commit_lsn, end_lsn;
  std::int64_t commit_time = 0;
  std::uint32_t xid = 0;
  std::string_view gid;
};
struct RollbackPrepared {
  std::uint8_t flags = 0;
  Lsn prepare_end_lsn, rollback_end_lsn;
  std::int64_t prepare_time = 0, rollback_time = 0;
  std::uint32_t xid = 0;
  std::string_view gid;
};
struct StreamPrepare {
  std::uint8_t flags = 0;
  Lsn prepare_lsn, end_lsn;
  std::int64_t prepare_time = 0;
  std::uint32_t xid = 0;
  std::string_view gid;
};

using AnyMessage = std::variant<Begin, Message, Commit, Origin, Relation, Type, Insert, Update, Delete, Truncate,
                                StreamStart, StreamStop, StreamCommit, StreamAbort, BeginPrepare, Prepare,
                                CommitPrepared, RollbackPrepared, StreamPrepare>;

// What START_REPLICATION was asked for. It decides which messages may come, and two of their layouts.
struct ProtocolOptions {
  int version = 1;                  // 2: streaming, 3: two-phase, 4: parallel streaming
  bool parallel_streaming = false;  // streaming 'parallel': StreamAbort carries LSN and time
};

// Not thread-safe; one per stream, since messages inside a streamed segment are laid out differently.
class Decoder {
 public:
  explicit Decoder(ProtocolOptions options = {}) : options_(options) {}

  Result<AnyMessage> decode(std::string_view bytes);
  // The next bytes are the first of a new stream.
  void reset() { in_segment_ = false; }

 private:
  AnyMessage decode_body(char type, ByteReader& in);
  AnyMessage decode_change(char type, ByteReader& in);
  AnyMessage decode_streaming(char type, ByteReader& in);
  AnyMessage decode_two_phase(char type, ByteReader& in);
  bool allowed(char type) const;
  std::optional<std::uint32_t> segment_xid(ByteReader& in) const;

  Relation relation(ByteReader& in);
  Update update(ByteReader& in);
  Delete deletion(ByteReader& in);
  Truncate truncate(ByteReader& in);
  TupleData tuple(ByteReader& in, std::vector<TupleColumn>& columns);
  // A value that the protocol does not know; decode() then refuses the message.
  void refuse(const char* what) {
    if (!refused_) refused_ = what;
  }
  template <typename T>
  T only(bool valid, T value, const char* what) {
    if (!valid) refuse(what);
    return value;
  }
  std::uint8_t no_flags(ByteReader& in) {
    const auto flags = in.u8();
    return only(flags == 0, flags, "unknown flags");
  }

  ProtocolOptions options_;
  bool in_segment_ = false;  // between StreamStart and StreamStop
  const char* refused_ = nullptr;
  std::vector<TupleColumn> new_columns_, old_columns_;
  std::vector<RelationColumn> relation_columns_;
  std::vector<std::uint32_t> oids_;
};

// PostgreSQL's epoch in Unix time.
constexpr std::int64_t kEpochUnixMicros = 946'684'800'000'000;
constexpr std::int64_t unix_micros(std::int64_t postgres_micros) {
  // Wraps instead of overflowing: a nonsensical time is shown wrong, not undefined.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(postgres_micros) +
                                   static_cast<std::uint64_t>(kEpochUnixMicros));
}

}  // namespace relay::connectors::postgres::pgoutput
