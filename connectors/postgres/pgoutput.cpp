#include "connectors/postgres/pgoutput.h"

#include <cstdio>
#include <cstring>
#include <string>

namespace relay::connectors::postgres::pgoutput {
namespace {

Lsn lsn(ByteReader& in) { return Lsn{in.u64()}; }

std::string type_name(std::string_view bytes) {
  if (bytes.empty()) return "an empty message";
  const auto c = static_cast<unsigned char>(bytes[0]);
  char text[32];
  std::snprintf(text, sizeof text, c >= 0x20 && c < 0x7f ? "message '%c'" : "message 0x%02x", c);
  return text;
}

tl::unexpected<Error> malformed(std::string_view bytes, const char* why) {
  return fail(ErrorKind::corrupt, "pgoutput_malformed",
              "decoding " + type_name(bytes) + " of the replication stream (" + std::to_string(bytes.size()) +
                  " bytes): " + why,
              "nothing was skipped; report it with the server's version and the output of: outbox-relay version");
}

}  // namespace

Result<AnyMessage> Decoder::decode(std::string_view bytes) {
  refused_ = nullptr;
  ByteReader in(bytes);
  const char type = static_cast<char>(in.u8());
  if (!in.ok()) return malformed(bytes, "it has no type");
  if (!allowed(type)) return malformed(bytes, "no such message can come here with the options asked for");
  auto message = decode_body(type, in);
  if (!in.ok()) return malformed(bytes, "it ends too early");
  if (refused_) return malformed(bytes, refused_);
  if (!in.at_end()) return malformed(bytes, "bytes are left over");
  if (type == 'S') in_segment_ = true;
  if (type == 'E') in_segment_ = false;
  return message;
}

// Which messages exist in a version, and which may stand inside a streamed segment.
bool Decoder::allowed(char type) const {
  if (std::strchr("MORYIUDT", type) && type) return true;
  if (type == 'E') return in_segment_;
  if (in_segment_) return false;
  switch (type) {
    case 'B':
    case 'C':
      return true;
    case 'S':
    case 'c':
    case 'A':
      return options_.version >= 2;
    case 'b':
    case 'P':
    case 'K':
    case 'r':
    case 'p':
      return options_.version >= 3;
    default:
      return false;
  }
}

AnyMessage Decoder::decode_body(char type, ByteReader& in) {
  switch (type) {
    case 'B': {
      Begin m{lsn(in), in.i64(), in.u32()};
      if (!m.final_lsn) refuse("it has no commit LSN");
      return m;
    }
    case 'C': {
      Commit m{no_flags(in), lsn(in), lsn(in), in.i64()};
      if (!m.commit_lsn || m.end_lsn <= m.commit_lsn) refuse("its LSNs are out of order");
      return m;
    }
    case 'O':
      return Origin{lsn(in), in.c_string()};
    case 'S':
    case 'E':
    case 'c':
    case 'A':
      return decode_streaming(type, in);
    case 'b':
    case 'P':
    case 'K':
    case 'r':
    case 'p':
      return decode_two_phase(type, in);
    default:
      return decode_change(type, in);
  }
}

AnyMessage Decoder::decode_change(char type, ByteReader& in) {
  switch (type) {
    case 'I': {
      Insert m{segment_xid(in), in.u32(), {}};
      if (in.u8() != 'N') refuse("its tuple is not marked as new");
      m.new_tuple = tuple(in, new_columns_);
      return m;
    }
    case 'U':
      return update(in);
    case 'D':
      return deletion(in);
    case 'T':
      return truncate(in);
    case 'R':
      return relation(in);
    case 'Y':
      return Type{segment_xid(in), in.u32(), in.c_string(), in.c_string()};
    default: {
      Message m;
      m.xid = segment_xid(in);
      const auto flags = in.u8();
      m.transactional = only(flags <= 1, flags, "unknown flags") == 1;
      m.lsn = lsn(in);
      m.prefix = in.c_string();
      m.content = in.bytes(in.u32());
      return m;
    }
  }
}

AnyMessage Decoder::decode_streaming(char type, ByteReader& in) {
  switch (type) {
    case 'S': {
      const auto xid = in.u32();
      const auto first = in.u8();
      return StreamStart{xid, only(first <= 1, first, "unknown flags") == 1};
    }
    case 'E':
      return StreamStop{};
    case 'c':
      return StreamCommit{in.u32(), no_flags(in), lsn(in), lsn(in), in.i64()};
    default: {
      StreamAbort m{in.u32(), in.u32(), {}, 0};
      if (options_.parallel_streaming) {
        m.abort_lsn = lsn(in);
        m.abort_time = in.i64();
      }
      return m;
    }
  }
}

AnyMessage Decoder::decode_two_phase(char type, ByteReader& in) {
  switch (type) {
    case 'b':
      return BeginPrepare{lsn(in), lsn(in), in.i64(), in.u32(), in.c_string()};
    case 'P':
      return Prepare{no_flags(in), lsn(in), lsn(in), in.i64(), in.u32(), in.c_string()};
    case 'K':
      return CommitPrepared{no_flags(in), lsn(in), lsn(in), in.i64(), in.u32(), in.c_string()};
    case 'r':
      return RollbackPrepared{no_flags(in), lsn(in), lsn(in), in.i64(), in.i64(), in.u32(), in.c_string()};
    default:
      return StreamPrepare{no_flags(in), lsn(in), lsn(in), in.i64(), in.u32(), in.c_string()};
  }
}

std::optional<std::uint32_t> Decoder::segment_xid(ByteReader& in) const {
  if (!in_segment_) return std::nullopt;
  return in.u32();
}

Relation Decoder::relation(ByteReader& in) {
  Relation m;
  m.xid = segment_xid(in);
  m.oid = in.u32();
  m.nspname = in.c_string();
  m.relname = in.c_string();
  m.replica_identity = static_cast<char>(in.u8());
  if (!m.replica_identity || !std::strchr("dnfi", m.replica_identity)) refuse("unknown replica identity");
  const auto n = in.u16();
  relation_columns_.clear();
  for (unsigned i = 0; i < n && in.ok(); ++i) {
    const auto flags = in.u8();
    if (flags > 1) refuse("unknown flags of a column");
    relation_columns_.push_back({flags == 1, in.c_string(), in.u32(), in.i32()});
  }
  m.columns = relation_columns_;
  return m;
}

Update Decoder::update(ByteReader& in) {
  Update m;
  m.xid = segment_xid(in);
  m.relation_oid = in.u32();
  auto kind = static_cast<char>(in.u8());
  if (kind == 'K' || kind == 'O') {
    m.old_kind = kind;
    m.old_tuple = tuple(in, old_columns_);
    kind = static_cast<char>(in.u8());
  }
  if (kind != 'N') refuse("its tuple is neither new, old nor a key");
  m.new_tuple = tuple(in, new_columns_);
  return m;
}

Delete Decoder::deletion(ByteReader& in) {
  Delete m;
  m.xid = segment_xid(in);
  m.relation_oid = in.u32();
  m.old_kind = static_cast<char>(in.u8());
  if (m.old_kind != 'K' && m.old_kind != 'O') refuse("its tuple is neither old nor a key");
  m.old_tuple = tuple(in, old_columns_);
  return m;
}

Truncate Decoder::truncate(ByteReader& in) {
  Truncate m;
  m.xid = segment_xid(in);
  const auto n = in.u32();
  const auto options = in.u8();
  if (options > 3) refuse("unknown options");
  m.cascade = (options & 1) != 0;
  m.restart_identity = (options & 2) != 0;
  oids_.clear();
  for (std::uint32_t i = 0; i < n && in.ok(); ++i) oids_.push_back(in.u32());
  m.relation_oids = oids_;
  return m;
}

TupleData Decoder::tuple(ByteReader& in, std::vector<TupleColumn>& columns) {
  columns.clear();
  const auto n = in.u16();
  for (unsigned i = 0; i < n && in.ok(); ++i) {
    TupleColumn column{static_cast<char>(in.u8()), {}};
    switch (column.kind) {
      case 't':
      case 'b':
        column.value = in.bytes(in.u32());
        break;
      case 'n':
      case 'u':
        break;
      default:
        refuse("unknown kind of a column");
    }
    columns.push_back(column);
  }
  return columns;
}

}  // namespace relay::connectors::postgres::pgoutput
