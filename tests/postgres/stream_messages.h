// Writes the stream's messages as a walsender would, for tests that need more of them than were recorded.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/replication_wire.h"

namespace relay::test {

class Bytes {
 public:
  Bytes& u8(unsigned v) { return put(v, 1); }
  Bytes& u16(unsigned v) { return put(v, 2); }
  Bytes& u32(std::uint64_t v) { return put(v, 4); }
  Bytes& u64(std::uint64_t v) { return put(v, 8); }
  Bytes& text(const std::string& s) {
    bytes_ += s;
    bytes_ += '\0';
    return *this;
  }
  Bytes& raw(const std::string& s) {
    bytes_ += s;
    return *this;
  }
  operator std::string() const { return bytes_; }

 private:
  Bytes& put(std::uint64_t v, int n) {
    for (int i = n - 1; i >= 0; --i) bytes_ += static_cast<char>(v >> (8 * i));
    return *this;
  }
  std::string bytes_;
};

using Cells = std::vector<std::optional<std::string>>;

inline std::string tuple(const Cells& cells) {
  Bytes out;
  out.u16(static_cast<unsigned>(cells.size()));
  for (const auto& cell : cells)
    if (cell)
      out.u8('t').u32(cell->size()).raw(*cell);
    else
      out.u8('n');
  return out;
}

inline std::string begin(std::uint64_t commit_lsn, std::uint32_t xid) {
  return Bytes().u8('B').u64(commit_lsn).u64(commit_lsn * 1000).u32(xid);
}
inline std::string commit(std::uint64_t commit_lsn) {
  return Bytes().u8('C').u8(0).u64(commit_lsn).u64(commit_lsn + 48).u64(commit_lsn * 1000);
}
struct Column {
  std::string name;
  std::uint32_t type = 25;
  bool key = false;
};
inline std::string relation(std::uint32_t oid, const std::string& schema, const std::string& name,
                            const std::vector<Column>& columns) {
  Bytes out;
  out.u8('R').u32(oid).text(schema).text(name).u8('d').u16(static_cast<unsigned>(columns.size()));
  for (const auto& c : columns) out.u8(c.key ? 1 : 0).text(c.name).u32(c.type).u32(0xffffffff);
  return out;
}
inline std::string insert(std::uint32_t oid, const Cells& row) {
  return Bytes().u8('I').u32(oid).u8('N').raw(tuple(row));
}
inline std::string update(std::uint32_t oid, const Cells& row) {
  return Bytes().u8('U').u32(oid).u8('N').raw(tuple(row));
}
inline std::string update_key(std::uint32_t oid, const Cells& key, const Cells& row) {
  return Bytes().u8('U').u32(oid).u8('K').raw(tuple(key)).u8('N').raw(tuple(row));
}
inline std::string deletion(std::uint32_t oid, const Cells& key) {
  return Bytes().u8('D').u32(oid).u8('K').raw(tuple(key));
}
inline std::string message(std::uint64_t lsn, const std::string& prefix, const std::string& content, bool transactional = true) {
  return Bytes().u8('M').u8(transactional ? 1 : 0).u64(lsn).text(prefix).u32(content.size()).raw(content);
}
inline std::string truncate(std::uint32_t oid) { return Bytes().u8('T').u32(1).u8(0).u32(oid); }

}  // namespace relay::test
