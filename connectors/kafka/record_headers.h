// The headers of a record. librdkafka copies each into memory of its own, so few headers are cheap headers; what is the
// same for all events of a transaction is written out once.
#pragma once

#include <string>
#include <vector>

#include "connectors/kafka/config.h"
#include "connectors/kafka/kafka_handles.h"
#include "relay/model/event.h"

namespace relay::connectors::kafka {

class RecordHeaders {
 public:
  explicit RecordHeaders(std::vector<HeaderSpec> specs);

  // Null when there are none. A role that is NULL gives a header with a null value.
  HeadersHandle of(const Event& event);

  // Everything that is needed to deliver the event later, and why it was not delivered now.
  HeadersHandle of_dead_letter(const Event& event, std::string_view original_topic);

 private:
  void add(rd_kafka_headers_t* to, const HeaderSpec& spec, const Event& event);
  void add_columns(rd_kafka_headers_t* to, const Event& event);
  void add_place(rd_kafka_headers_t* to, const Event& event);
  void note_transaction(const Event& event);

  std::vector<HeaderSpec> specs_;
  std::vector<std::optional<Role>> sole_roles_;  // of specs_, in order
  std::string scratch_;
  Lsn noted_lsn_;
  std::string lsn_text_, time_text_, xid_text_;
};

// "2026-01-31T12:00:00.123456Z"
std::string format_utc(std::int64_t unix_micros);

}  // namespace relay::connectors::kafka
