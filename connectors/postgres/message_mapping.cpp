#include "connectors/postgres/message_mapping.h"

namespace relay::connectors::postgres {
namespace {

std::size_t size_of(const MessageEvent& from) {
  std::size_t bytes = from.id.size() + from.aggregate_type.size() + from.aggregate_id.size() + from.event_type.size() +
                      from.payload.size();
  for (const auto& header : from.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

void append_message_event(const MessageEvent& from, const RowPlace& place, const std::string& prefix,
                          bool null_payload_is_tombstone, Batch& batch) {
  Event& event = batch.add(size_of(from));
  auto& arena = batch.arena();
  event.id = from.id.empty() ? place_as_id(place, arena) : arena.copy(from.id);
  event.aggregate_type = arena.copy(from.aggregate_type);
  event.aggregate_id = arena.copy(from.aggregate_id);
  event.event_type = arena.copy(from.event_type);
  event.payload = arena.copy(from.payload);
  if (!from.headers.empty()) {
    const auto headers = arena.array<Header>(from.headers.size());
    for (std::size_t i = 0; i < from.headers.size(); ++i)
      headers[i] = {arena.copy(from.headers[i].name), arena.copy(from.headers[i].value)};
    event.headers = headers;
  }
  set_place(event, place, prefix);
  if (!from.problem.empty())
    reject(event, "message_malformed", from.problem);
  else if (event.payload.data() == nullptr && !null_payload_is_tombstone)
    reject(event, "payload_null", "the payload is null or missing (messages.null_payload: tombstone sends such events)");
}

}  // namespace relay::connectors::postgres
