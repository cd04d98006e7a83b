// Finds the newest committed record of the progress topic: a state machine over two clients, since only a handle with
// isolation.level=read_uncommitted gives the high watermark (read_committed gives the last stable offset instead), and
// only a read_committed consumer leaves out what was aborted.
//
// Everything below the high watermark must be decided before the newest record is known. An open transaction holds the
// last stable offset back; the reader waits for it, and when time runs out says progress_blocked. Only a peek, before any
// fencing, does not wait: the instance whose transaction is open may be dead, and fencing it is what ends the transaction.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "connectors/kafka/admin.h"
#include "connectors/kafka/deadline.h"
#include "connectors/kafka/progress_topic_rules.h"
#include "relay/model/progress.h"

namespace relay::connectors::kafka {

// What is stored, with the very text, so that two readings can be compared.
struct StoredProgress {
  std::string text;
  Progress progress;
};

enum class ReadMode {
  peek,     // partitions and settings of the topic are judged first; what is undecided is left out
  start,    // after fencing: judged, and waited for
  compare,  // waited for
};

class ProgressReader {
 public:
  // A missing topic means "nothing stored".
  ProgressReader(ClientFactory& clients, Logger log, Deadline deadline, ReadMode mode);
  ~ProgressReader();

  // Moves on for `wait` at most (questions about metadata: up to a second). Returns the outcome once.
  std::optional<Result<std::optional<StoredProgress>>> step(Millis wait);

  // Until it has an outcome or the deadline is over.
  Result<std::optional<StoredProgress>> run();

  // Known after a successful reading.
  const std::string& cluster_id() const { return cluster_id_; }
  // After a peek: what was found may not be the newest.
  bool newer_hidden() const { return newer_hidden_; }

 private:
  enum class Stage { connect, look_up, describe, watermarks, scan, done };
  using Step = std::optional<Result<std::optional<StoredProgress>>>;

  Step connect();
  Step look_up(Millis wait);
  Step judge(const AdminRequest::Answer& answer);
  Step read_watermarks(Millis wait);
  bool leave_out_undecided(Millis wait);
  Step next_window();
  Step scan(Millis wait);
  Step finish();
  Step failed(Error error);
  Step out_of_time();
  Error blocked();
  Error explain(const Failure& failure, const std::string& attempted);
  void see(const rd_kafka_message_t& message);
  void stop_consuming() noexcept;

  ClientFactory& clients_;
  Logger log_;
  Deadline deadline_;
  const ReadMode mode_;
  const std::string topic_;

  Stage stage_ = Stage::connect;
  std::unique_ptr<Client> observer_, reader_;
  std::optional<AdminRequest> describing_;
  TopicHandle handle_;  // of reader_
  bool consuming_ = false;
  std::int64_t high_ = 0;
  bool newer_hidden_ = false;
  std::optional<BackwardScan> windows_;
  BackwardScan::Window window_;
  std::int64_t at_ = 0;  // offsets below are seen
  NewestRecord newest_;
  Failure last_failure_;
  std::string cluster_id_;
};

}  // namespace relay::connectors::kafka
