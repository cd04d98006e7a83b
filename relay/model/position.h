// Where in the history of the database an event stands.
//
// Rows are placed by their transaction's commit LSN: commit LSNs strictly increase in a slot's stream, row LSNs do not.
// Between transactions the position is (commit_lsn, end_lsn). Inside one (only when a transaction is larger than the
// batch limit) it is (commit_lsn, change_lsn, ordinal): the XLogData start of the last change that was taken, and its
// ordinal (1, 2, ...) among the changes of that transaction with the same LSN, because rows of one COPY share theirs.
#pragma once

#include <cstdint>

#include "relay/model/lsn.h"

namespace relay {

struct Position {
  Lsn commit_lsn;                   // of the last transaction of which anything was taken
  Lsn end_lsn;                      // where its commit record ends; 0 while inside it
  Lsn change_lsn;                   // 0 between transactions
  std::uint32_t ordinal = 0;        // 0 between transactions
  std::uint32_t xid = 0;            // of that transaction; 0 when none was ever taken
  std::int64_t commit_time_us = 0;  // of that transaction, microseconds since 1970

  bool inside_transaction() const { return static_cast<bool>(change_lsn); }
  bool operator==(const Position&) const = default;
};

}  // namespace relay
