#include "connectors/kafka/producer.h"

#include <array>

namespace relay::connectors::kafka {

Producer::Producer(std::unique_ptr<Client> client) : client_(std::move(client)) {}

Result<std::unique_ptr<Producer>> Producer::make(const ClientFactory& clients, const ProducerTuning& tuning) {
  RELAY_ASSIGN(auto client, clients.make(ClientRole::producer, tuning));
  return std::unique_ptr<Producer>(new Producer(std::move(client)));
}

TxnCall Producer::judge(rd_kafka_error_t* raw) {
  const ErrorHandle error(raw);
  if (!error) return {};
  const Failure failure{rd_kafka_error_code(error.get()), rd_kafka_error_string(error.get())};
  if (rd_kafka_error_txn_requires_abort(error.get())) return {TxnCall::Then::abort, failure};
  if (rd_kafka_error_is_retriable(error.get())) return {TxnCall::Then::again, failure};
  return {TxnCall::Then::give_up, failure};
}

TxnCall Producer::begin() {
  client_->forget_end_txn_requests();
  client_->forget_presumed_deliveries();
  failed_.clear();
  return judge(rd_kafka_begin_transaction(rk()));
}

TxnCall Producer::commit(Millis slice) {
  const auto call = judge(rd_kafka_commit_transaction(rk(), count(slice)));
  serve(Millis{0});
  return call;
}

TxnCall Producer::abort(Millis slice) {
  const auto call = judge(rd_kafka_abort_transaction(rk(), count(slice)));
  serve(Millis{0});  // the reports of what was purged; until they are taken the abort does not end
  return call;
}

int Producer::produce(const Record& record, HeadersHandle& headers) {
  std::array<rd_kafka_vu_t, 8> v{};
  v[0].vtype = RD_KAFKA_VTYPE_RKT;
  v[0].u.rkt = record.topic;
  v[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  v[1].u.i32 = record.partition;
  v[2].vtype = RD_KAFKA_VTYPE_VALUE;
  v[2].u.mem = {const_cast<char*>(record.payload.data()), record.payload.size()};
  v[3].vtype = RD_KAFKA_VTYPE_KEY;
  v[3].u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
  v[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
  v[4].u.ptr = reinterpret_cast<void*>(record.tag);
  v[5].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  v[5].u.i64 = record.timestamp_ms;
  v[6].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  v[6].u.i = 0;  // the payload stays ours
  v[7].vtype = RD_KAFKA_VTYPE_HEADERS;
  v[7].u.headers = headers.get();
  const ErrorHandle error(rd_kafka_produceva(rk(), v.data(), headers ? v.size() : v.size() - 1));
  if (error) return rd_kafka_error_code(error.get());
  (void)headers.release();
  return 0;
}

bool Producer::flush(Millis slice) {
  const auto result = rd_kafka_flush(rk(), count(slice));
  serve(Millis{0});
  return result == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void Producer::serve(Millis wait) {
  client_->serve(wait, [this](const FailedMessage& message) { failed_.push_back(message); });
}

std::optional<Failure> Producer::fatal() const {
  char why[512] = "";
  const auto code = rd_kafka_fatal_error(rk(), why, sizeof why);
  if (!code) return std::nullopt;
  return Failure{code, why};
}

}  // namespace relay::connectors::kafka
