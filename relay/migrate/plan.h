// What somebody wants of the database -> the migrations that make it, in their order. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.h"

namespace relay::migrate {

// A table whose changes become events.
struct Capture {
  std::string table;    // as in SQL: public.orders, "Shop"."Orders"
  std::string options;  // a JSON object; see sql/README.md
};

struct Request {
  std::vector<std::string> parts;  // of kParts; empty: what the rest of the request needs, or else the outbox
  std::vector<Capture> captures;
  std::string existing_outbox;  // gets the columns of the poll source; empty: none
  std::string publication = "outbox_relay";
  std::vector<std::string> published;  // tables; empty: the outbox that this request is about
  std::string relay_role, app_role;    // for part roles
};

inline constexpr std::string_view kParts = "store, reader, outbox, messages, columns, capture, publication and roles";

struct Migration {
  std::string name;         // "outbox_relay_outbox"
  std::string up, down;     // with BEGIN and COMMIT
  std::string loses;        // what `down` destroys, as a sentence; empty: nothing
  bool own_schema = false;  // makes things in schema outbox_relay and nothing else: can be compared with a copy
  std::string there{};      // an SQL expression: is what `up` makes still there? Empty: not known
};

// Refuses with kind fatal, code migration_invalid.
Result<std::vector<Migration>> plan(const Request& request);

// "public.orders", or "public.orders {...}" with options. `into`: "outbox", "messages" or "" to leave it to the
// options.
Result<Capture> parse_capture(std::string_view text, std::string_view into);

}  // namespace relay::migrate
