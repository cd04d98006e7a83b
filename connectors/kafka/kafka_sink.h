// The sink for Apache Kafka: every batch is one Kafka transaction that holds its events and the progress record, so that
// either all of it is there for read_committed consumers, or nothing. See README.md for the guarantees and their price.
#pragma once

#include <memory>
#include <optional>

#include "connectors/kafka/batch_run.h"
#include "connectors/kafka/file_watch.h"
#include "connectors/kafka/producer_start.h"
#include "connectors/kafka/progress_reader.h"
#include "relay/base/log.h"
#include "relay/pipeline/sink.h"

namespace relay::connectors::kafka {

class KafkaSink final : public Sink {
 public:
  KafkaSink(KafkaSinkConfig config, Clock& clock, Logger log);
  ~KafkaSink() override;

  bool stores_progress() const override { return true; }
  Result<PeekedProgress> peek_progress(Millis timeout, std::stop_token stop) override;
  Result<void> open(Millis timeout, std::stop_token stop) override;
  Result<std::optional<Progress>> read_progress(Millis timeout, std::stop_token stop) override;
  std::string cluster_id() const override { return cluster_id_; }
  void submit(const Batch& batch) override;
  std::optional<Delivery> step(Millis wait) override;
  void close() noexcept override;

 private:
  // After the first open() a producer is sometimes replaced between two transactions: because EndTxn was sent twice,
  // because an event was refused, because a password changed. Nobody may have delivered in between, so the newest record
  // must still be ours.
  enum class Renewal { none, starting, comparing };

  Result<std::optional<StoredProgress>> read(ProgressReader& reader);
  Result<void> ensure_progress_topic(const Deadline& deadline);
  Result<void> wait_for_creation(AdminRequest request, const Deadline& deadline);
  void use(std::unique_ptr<Producer> producer);
  void drop_producer() noexcept;

  bool renewal_due();
  Grouping wanted_grouping() const;
  void look_closer();
  int usual_record_batch_bytes() const;
  std::optional<Delivery> start_renewal();
  std::optional<Delivery> renew(Millis wait);
  std::optional<Delivery> compare(Millis wait);
  std::optional<Delivery> run(Millis wait);
  std::optional<Delivery> conclude(BatchRun::Outcome outcome);
  void smaller_record_batches();
  Delivery end(Delivery delivery);
  ProducerTuning tuning() const;
  std::vector<std::string> watched_files() const;

  const KafkaSinkConfig config_;
  Clock& clock_;
  Logger log_;
  ClientFactory clients_;
  TopicDirectory topics_;
  RecordHeaders headers_;
  RunScratch scratch_;
  FileWatch files_;
  std::string cluster_id_;

  std::unique_ptr<Producer> producer_;
  std::optional<std::string> stored_text_;  // the newest record as we know it; nullopt inside: there is none
  bool stored_known_ = false;

  const Batch* batch_ = nullptr;            // submitted, its Delivery not returned
  std::optional<BatchRun> run_;
  SteadyTime committed_at_{};               // when the last transaction ended
  Renewal renewal_ = Renewal::none;
  std::optional<ProducerStart> starting_;
  std::optional<ProgressReader> comparing_;
  std::unique_ptr<Producer> started_;       // while comparing

  // Batches up to this sequence are sent in other record batches, because one of theirs was refused. 0: none.
  std::uint64_t searching_until_sequence_ = 0;
  Grouping search_ = Grouping::usual;
  Grouping grouping_ = Grouping::usual;     // of the present producer
  int record_batch_bytes_ = 0;              // 0: the usual size
  bool renew_next_ = false;
};

}  // namespace relay::connectors::kafka
