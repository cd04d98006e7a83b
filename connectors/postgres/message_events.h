// One logical message (pg_logical_emit_message) -> its events. Pure: bytes in, values out.
//
// The content is JSON: an event object, or an array of them.
//   {"id": "0b6f", "aggregate_type": "order", "aggregate_id": 17, "event_type": "order_placed",
//    "payload": {"total": 12.50}, "headers": {"tenant": "t1"}}
// Every field is optional but `payload`. A payload that is an object, array, number or boolean is taken with its bytes as
// they are; a string is taken as the text that it stands for. Everything else that is no string is taken as its JSON text.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "relay/model/event.h"

namespace relay::connectors::postgres {

// A field that is missing, or null in the message, has data() == nullptr.
struct MessageEvent {
  std::string_view id, aggregate_type, aggregate_id, event_type, payload;
  std::span<const Header> headers;
  std::string_view problem;  // why it can be no event, without any value of it; empty: nothing is wrong
};

// The events of the message last parsed. Keeps its memory from message to message.
class MessageEvents {
 public:
  MessageEvents();
  ~MessageEvents();

  // Never fails: what is no event stands there with its problem and its bytes as payload. The views point into `this`
  // and stay until the next call.
  const std::vector<MessageEvent>& parse(std::string_view content);
  const std::vector<MessageEvent>& events() const;
  void clear();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace relay::connectors::postgres
