// One walsender connection (libpq, replication=database): the replication commands, then the stream in both directions.
// One thread. Commands wait for their answer with a deadline; streaming never waits: the caller polls socket().
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/postgres/connection.h"
#include "relay/base/log.h"
#include "relay/base/waker.h"
#include "relay/model/lsn.h"
#include "relay/pipeline/source.h"

namespace relay::connectors::postgres {

// IDENTIFY_SYSTEM.
struct SystemIdentity {
  std::string system_identifier;
  std::uint32_t timeline = 0;
  Lsn wal_end;  // flushed
};

struct CreatedSlot {
  Lsn consistent_point;
  std::string snapshot_name;  // exported; valid until the next command on this session
};

class ReplicationSession {
 public:
  // Tries the hosts of the URL in turn, each for config.connect_timeout. `had_success` as in classify_connect_failure.
  static Result<std::unique_ptr<ReplicationSession>> connect(const ConnectionConfig& config, bool had_success);
  ~ReplicationSession();

  Result<SystemIdentity> identify_system();
  // The ends of the timelines before `timeline`; empty for timeline 1.
  Result<std::vector<TimelineSwitch>> timeline_history(std::uint32_t timeline);

  // Waits, as the server does, for every transaction that is open in the database to end, and says so in the log.
  // `given_up`, set before the waker is woken, ends the wait with code creation_interrupted (transient); the server then
  // still works on the slot, and the caller cancels its backend.
  Result<CreatedSlot> create_slot(const std::string& slot, bool failover, Waker& waker, const std::atomic<bool>& given_up,
                                  const Logger& log);
  // Marks a slot that nobody reads for synchronisation to standbys (17 and later).
  Result<void> enable_failover(const std::string& slot);
  Result<void> drop_slot(const std::string& slot);  // fine when there is none; kind busy when somebody reads it

  // From the slot's own position. Kind busy, code slot_active, when somebody else reads it.
  Result<void> start_streaming(const std::string& slot, const std::string& publication, bool with_messages);

  enum class Received { message, would_block };
  // REQUIRES streaming. Reads once from the socket when nothing is buffered. The view lasts until the next call.
  Result<Received> receive(std::string_view& message);
  Result<void> send_status(Lsn confirmed, std::int64_t unix_micros, bool request_reply);
  Result<void> flush();      // after poll() showed that the socket can be written
  bool wants_write() const;  // not everything could be sent yet

  // PostgreSQL 18 warns that the publication did not exist where it is decoding now, and passes over changes; before
  // it, the stream fails there. The warning comes before the next message.
  bool publication_skipped() const;

  int socket() const;
  int backend_pid() const;

  // Ends the stream in order, for `bound` at most, so that the server sees the last status update.
  void finish(Millis bound) noexcept;

 private:
  class Impl;
  explicit ReplicationSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace relay::connectors::postgres
