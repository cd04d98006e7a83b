// One transactional producer: librdkafka's calls in slices, each with what its outcome means for the transaction.
//
// A pipeline uses a constant number of transactional ids, `n` of ProducerTuning; today one.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "connectors/kafka/client.h"

namespace relay::connectors::kafka {

// What follows from a call of the transaction API, in the order in which it must be looked at.
struct TxnCall {
  enum class Then {
    done,
    again,    // the same call is to be repeated: it goes on in the background
    abort,    // this transaction can only be aborted; the producer is still good for that
    give_up,  // the producer is of no use any more; destroy it
  };
  Then then = Then::done;
  Failure failure;  // meaningless when done
};

// One record to be produced. Key and payload are views: the payload is not copied and must stay until the transaction
// has ended.
struct Record {
  rd_kafka_topic_t* topic = nullptr;
  std::int32_t partition = RD_KAFKA_PARTITION_UA;
  std::string_view key;      // data() == nullptr: no key
  std::string_view payload;  // data() == nullptr: no payload
  std::uintptr_t tag = 0;    // returned with a failed delivery
  std::int64_t timestamp_ms = 0;
};

class Producer {
 public:
  static Result<std::unique_ptr<Producer>> make(const ClientFactory& clients, const ProducerTuning& tuning);

  TxnCall init(Millis slice) { return judge(rd_kafka_init_transactions(rk(), count(slice))); }
  TxnCall begin();
  TxnCall commit(Millis slice);
  TxnCall abort(Millis slice);

  // Librdkafka's code: 0 when the record is queued (then it owns `headers`), _QUEUE_FULL when it is to be tried later.
  int produce(const Record& record, HeadersHandle& headers);

  // Sends what is queued; true when every record has been answered or given up. Failures are in failed().
  bool flush(Millis slice);
  void serve(Millis wait);

  const std::vector<FailedMessage>& failed() const { return failed_; }
  std::optional<Failure> fatal() const;
  // EndTxn was sent for this transaction: its outcome is in the coordinator's hands.
  // As Client::presumed_deliveries(), since begin().
  int presumed_deliveries() const { return client_->presumed_deliveries(); }
  bool end_sent() const { return client_->end_txn_requests() > 0; }
  // EndTxn was sent more than once: a late one could end a later transaction of the same epoch, so that a new epoch must
  // be taken before the next transaction.
  bool end_repeated() const { return client_->end_txn_requests() > 1; }

  Client& client() { return *client_; }

 private:
  explicit Producer(std::unique_ptr<Client> client);
  rd_kafka_t* rk() const { return client_->get(); }
  static int count(Millis slice) { return static_cast<int>(slice.count()); }
  static TxnCall judge(rd_kafka_error_t* raw);

  std::unique_ptr<Client> client_;
  std::vector<FailedMessage> failed_;  // of the running transaction
};

}  // namespace relay::connectors::kafka
