// What `doctor` asks beyond what `run` needs: limits, risks, who holds WAL back. Asked once; judged by doctor_checks.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/postgres/sql_session.h"

namespace relay::connectors::postgres {

// How the connection got here.
struct ConnectionFacts {
  bool local = false;  // Unix socket
  bool tls = false;
  std::string tls_version, cipher;
  bool pooled = false;         // the server process is not the one that was announced: something stands in between
  std::string server_address;  // "10.0.0.5:5432" as the server sees itself; empty for a Unix socket
};

struct SettingsFacts {
  std::int64_t max_replication_slots = 0, used_slots = 0;
  std::int64_t max_wal_senders = 0, used_wal_senders = 0;
  std::int64_t max_slot_wal_keep_bytes = -1;  // -1: no limit
  std::int64_t wal_sender_timeout_ms = 0;     // 0: none
  std::int64_t idle_slot_timeout_ms = 0;      // 0: none, or before 18
  bool may_see_sessions = false;              // member of pg_read_all_stats
  std::string synchronized_standby_slots;     // empty: none, or before 17
};

// How fast the server writes WAL.
struct WalFacts {
  std::int64_t bytes_per_second = 0;  // measured just now, over about a second
  std::int64_t average = 0;           // since the statistics were reset; 0: not known (before 14)
  std::int64_t average_seconds = 0;   // how long that is
};

// A transaction that wrote something and is still open, anywhere in the cluster: a slot cannot let go of WAL since it
// began.
struct OpenTransaction {
  std::string name;  // of a prepared one (its gid); empty for a session's
  int pid = 0;
  std::string database, role, application;
  std::int64_t age_seconds = 0;
};

struct StoreTableFacts {
  bool exists = false, usable = false;  // usable: SELECT, INSERT, UPDATE
};
struct StoreFacts {
  StoreTableFacts progress, dead_letter;
  std::vector<std::string> publications;  // that would publish them
};

Result<ConnectionFacts> connection_facts(SqlSession& sql);
Result<SettingsFacts> settings_facts(SqlSession& sql);
// Waits for a second.
Result<WalFacts> wal_facts(SqlSession& sql);
// Open for more than a minute, the oldest first, ten at most.
Result<std::vector<OpenTransaction>> open_transactions(SqlSession& sql);
Result<StoreFacts> store_facts(SqlSession& sql);

}  // namespace relay::connectors::postgres
