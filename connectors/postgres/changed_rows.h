// After a *resumed* initial read: were existing rows changed before they could be read? Pure.
//
// A read that was cut short goes on with the rows that the first snapshot saw and that are still the same versions. A
// row that was updated, deleted, truncated away or moved between the slot's consistent point and the last resumption
// may therefore never have been read; the change itself shows in the stream, between these two positions (the window).
//
// What is known cheaply: the ids of rows inserted inside the window, which were never the initial read's business, so
// their later change is no loss. Everything else counts as changed, also a row that had been read before it changed:
// which rows had been read at the time of the crash is not stored. So exact resumption is promised for rows that nobody
// changes meanwhile, a loss is never silent, and a warning may be one too many.
// Ids are kept as 64-bit hashes of two generations (1,000,000 in all, 16 MiB): in a window with more inserts than that,
// a change of a row inserted long before counts too. So does one of a row that was inserted in the window before a
// restart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "connectors/postgres/slot_source_config.h"
#include "relay/base/log.h"
#include "relay/base/result.h"
#include "relay/model/progress.h"

namespace relay::connectors::postgres {

class ChangedRows {
 public:
  // Watching only when `from.snapshot` was resumed and the stream is still inside the window.
  void begin_stream(const Progress& from);
  bool watching() const { return watching_; }

  void begin(Lsn commit_lsn);  // of each transaction; past the window the watch ends
  void inserted(std::string_view table, std::string_view id);
  // `id` is empty when the replica identity does not hold it. Keys of business tables may be personal data and are not
  // named.
  enum class Naming { event_id, never };
  void changed(std::string_view table, std::string_view id, Naming naming = Naming::event_id);
  void truncated(std::string_view table);
  // Before the transaction's boundary is marked: fatal snapshot_rows_changed, with the table, the count and the first
  // few event ids; or a warning, as configured.
  Result<void> commit(OnChangedRow reaction, const std::string& pipeline, const Logger& log);

 private:
  static constexpr std::size_t kGeneration = 500'000;
  static constexpr std::size_t kNamed = 5;
  void suspect(std::string_view table);

  bool watching_ = false;
  Lsn consistent_point_, resumed_at_;
  std::unordered_set<std::uint64_t> young_, old_;  // hashes of inserted ids
  std::string table_;                              // of the open transaction's first suspect
  std::vector<std::string> named_;
  std::uint64_t count_ = 0;
  bool truncated_ = false;
};

}  // namespace relay::connectors::postgres
