#include "connectors/postgres/outbox_mapping.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "relay/base/assert.h"

namespace relay::connectors::postgres {
namespace {

constexpr std::uint32_t kByteaOid = 17;

// Copies values into one piece of the arena, taken once for the whole row.
class RowCopy {
 public:
  RowCopy(Arena& arena, std::size_t bytes) : to_(arena.allocate(bytes + 1)) {}

  std::string_view text(std::string_view value) {
    if (value.data() == nullptr) return {};
    if (!value.empty()) std::memcpy(to_, value.data(), value.size());
    return advance(value.size());
  }

  // bytea's text form "\x68656c6c6f" as the bytes it stands for. REQUIRES: NULL, or is_hex_bytea().
  std::string_view bytea(std::string_view value) {
    if (value.data() == nullptr) return {};
    value.remove_prefix(2);
    for (std::size_t i = 0; i < value.size() / 2; ++i)
      to_[i] = static_cast<char>(digit(value[2 * i]) << 4 | digit(value[2 * i + 1]));
    return advance(value.size() / 2);
  }

  static bool is_hex_bytea(std::string_view value) {
    return value.starts_with("\\x") && value.size() % 2 == 0 &&
           std::all_of(value.begin() + 2, value.end(), [](char c) { return digit(c) >= 0; });
  }

 private:
  static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }
  std::string_view advance(std::size_t n) {
    const std::string_view out(to_, n);
    to_ += n;
    return out;
  }
  char* to_;
};

}  // namespace

void set_place(Event& event, const RowPlace& place, std::string_view source) {
  event.source_table = source;
  event.commit_lsn = place.commit_lsn;
  event.change_lsn = place.change_lsn;
  event.ordinal = place.ordinal;
  event.xid = place.xid;
  event.commit_time_us = place.commit_time_us;
  event.from_snapshot = place.from_snapshot;
}

std::string_view place_as_id(const RowPlace& place, Arena& arena) {
  const auto half = [](Lsn lsn, int shift) { return static_cast<unsigned>(lsn.value >> shift & 0xFFFFFFFFu); };
  char text[56];
  const int size = std::snprintf(text, sizeof text, "%X/%X-%X/%X-%u", half(place.commit_lsn, 32), half(place.commit_lsn, 0),
                                 half(place.change_lsn, 32), half(place.change_lsn, 0), place.ordinal);
  return arena.copy({text, static_cast<std::size_t>(size)});
}

void reject(Event& event, std::string_view code, std::string_view reason) {
  event.disposition = Disposition::reject;
  event.reject_code = code;
  event.reject_reason = reason;
}

Result<std::unique_ptr<OutboxMapping>> OutboxMapping::make(const SlotSourceConfig& config, std::string table,
                                                           std::vector<ColumnInfo> columns) {
  std::unique_ptr<OutboxMapping> mapping(new OutboxMapping);
  mapping->table_ = std::move(table);
  mapping->columns_ = std::move(columns);
  mapping->null_payload_is_tombstone_ = config.null_payload_is_tombstone;
  RELAY_TRY(mapping->find_roles(config));
  RELAY_TRY(mapping->find_headers(config));
  return mapping;
}

Result<std::size_t> OutboxMapping::find(const std::string& name, const char* role) const {
  const auto at = std::find_if(columns_.begin(), columns_.end(), [&](const ColumnInfo& c) { return c.name == name; });
  if (at != columns_.end()) return static_cast<std::size_t>(at - columns_.begin());
  std::string present;
  for (const auto& column : columns_) present += (present.empty() ? "" : ", ") + column.name;
  return fail(ErrorKind::fatal, "outbox_column_missing",
              "reading outbox table " + table_ + ": column " + name + ", configured as " + role +
                  ", is not there or not published (it has: " + present + ")",
              "name the right column in source.outbox.columns or header_columns, or add it to the table and the "
              "publication's column list");
}

Result<void> OutboxMapping::find_roles(const SlotSourceConfig& config) {
  const auto& names = config.columns;
  const auto optional = [&](const std::string& name, const char* role) -> Result<std::size_t> {
    if (name.empty()) return kNoColumn;
    return find(name, role);
  };
  RELAY_ASSIGN(id_, find(names.id, "id"));
  RELAY_ASSIGN(payload_, find(names.payload, "payload"));
  RELAY_ASSIGN(aggregate_type_, optional(names.aggregate_type, "aggregate_type"));
  RELAY_ASSIGN(aggregate_id_, optional(names.aggregate_id, "aggregate_id"));
  RELAY_ASSIGN(event_type_, optional(names.event_type, "event_type"));
  payload_is_bytea_ = columns_[payload_].type_oid == kByteaOid;
  return {};
}

Result<void> OutboxMapping::find_headers(const SlotSourceConfig& config) {
  const auto has_role = [&](std::size_t i) {
    return i == id_ || i == aggregate_type_ || i == aggregate_id_ || i == event_type_ || i == payload_;
  };
  const auto add = [&](std::size_t i) {
    const bool there =
        std::any_of(headers_.begin(), headers_.end(), [&](const HeaderColumn& h) { return h.index == i; });
    if (!there) headers_.push_back({i, columns_[i].name});
  };
  for (const auto& name : config.header_columns) {
    if (name != "*") {
      RELAY_ASSIGN(const auto index, find(name, "header_columns"));
      add(index);
      continue;
    }
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (!has_role(i)) add(i);
  }
  return {};
}

void OutboxMapping::append(std::span<const ColumnText> row, const RowPlace& place, Batch& batch) const {
  RELAY_ASSERT(row.size() == columns_.size());
  const auto value = [&](std::size_t i) { return i == kNoColumn ? std::string_view{} : row[i].text; };
  const auto payload = value(payload_);
  const bool decode = payload_is_bytea_ && RowCopy::is_hex_bytea(payload);
  std::size_t bytes = decode ? payload.size() / 2 - 1 : payload.size();
  for (const auto i : {id_, aggregate_type_, aggregate_id_, event_type_}) bytes += value(i).size();
  for (const auto& header : headers_) bytes += row[header.index].text.size();

  Event& event = batch.add(bytes);
  RowCopy copy(batch.arena(), bytes);
  event.id = copy.text(value(id_));
  event.aggregate_type = copy.text(value(aggregate_type_));
  event.aggregate_id = copy.text(value(aggregate_id_));
  event.event_type = copy.text(value(event_type_));
  event.payload = decode ? copy.bytea(payload) : copy.text(payload);
  if (!headers_.empty()) {
    const auto headers = batch.arena().array<Header>(headers_.size());
    for (std::size_t i = 0; i < headers_.size(); ++i)
      headers[i] = {headers_[i].name, copy.text(row[headers_[i].index].text)};
    event.headers = headers;
  }
  set_place(event, place, table_);
  if (event.id.empty())
    reject(event, "id_missing", "the row has no id");
  else if (payload.data() == nullptr && !null_payload_is_tombstone_)
    reject(event, "payload_null", "the payload is NULL (outbox.null_payload: tombstone sends such events)");
  else if (payload_is_bytea_ && payload.data() != nullptr && !decode)
    reject(event, "payload_unreadable", "the bytea payload did not come in hexadecimal form");
}

}  // namespace relay::connectors::postgres
