// The connection of a source that polls: it holds the lock, asks what rounds ask, and keeps the row in
// outbox_relay.reader. One thread. Its loss is the loss of the lock.
#pragma once

#include <memory>
#include <string>

#include "connectors/postgres/poll_facts.h"
#include "connectors/postgres/poll_rounds.h"

namespace relay::connectors::postgres {

class PollSession final : public PollServer {
 public:
  static Result<std::unique_ptr<PollSession>> connect(const PollSourceConfig& config, bool had_success);

  // Kind busy, code slot_active, when another session holds it.
  Result<void> lock();
  bool locked() const { return locked_; }

  // Of whom the rounds ask from now on.
  void poll_sequence(const std::string& schema, const std::string& name);
  Result<std::uint64_t> last_id() override;  // kind fatal, code sequence_cached, when somebody gave it a CACHE
  Result<Barrier> raise_barrier() override;
  Result<std::uint64_t> oldest_running() override;
  Result<WalEnds> wal_ends() override;

  Result<void> make_reader_table();
  Result<void> insert_reader(std::uint64_t acknowledged);
  Result<void> delete_reader();
  // Never goes back. Kind transient, code reader_missing, when the row is gone: the next start says what that means.
  Result<void> acknowledge(std::uint64_t id);
  Result<void> purge();

  SqlSession& sql() { return *sql_; }
  bool alive() const { return sql_->alive(); }
  int socket() const { return sql_->socket(); }

 private:
  PollSession(std::string pipeline, std::string table) : pipeline_(std::move(pipeline)), table_(std::move(table)) {}
  Result<SqlRows> ask(const std::string& statement, std::string_view attempted);

  std::string pipeline_, table_;
  std::unique_ptr<SqlSession> sql_;
  std::string last_id_query_;
  bool locked_ = false;
};

}  // namespace relay::connectors::postgres
