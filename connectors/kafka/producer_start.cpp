#include "connectors/kafka/producer_start.h"

namespace relay::connectors::kafka {

std::optional<Result<std::unique_ptr<Producer>>> ProducerStart::step(Millis wait) {
  using Outcome = Result<std::unique_ptr<Producer>>;
  if (deadline_.stopped())
    return Outcome(fail(ErrorKind::cancelled, "cancelled", "initialising a transactional producer: told to stop"));
  if (!producer_) {
    auto made = Producer::make(clients_, tuning_);
    if (!made) return Outcome(fail(std::move(made).error()));
    producer_ = std::move(*made);
  }
  const auto call = producer_->init(deadline_.slice(wait));
  producer_->serve(Millis{0});
  if (call.then == TxnCall::Then::done) {
    clients_.note_connected();
    return Outcome(std::move(producer_));
  }
  if (call.then != TxnCall::Then::again) return Outcome(refused(producer_->fatal().value_or(call.failure)));
  if (const auto news = producer_->client().take_connection_failure()) {
    last_failure_ = *news;
    if (is_authentication(news->code) || is_tls(news->code)) return Outcome(refused(*news));
  }
  if (!deadline_.expired()) return std::nullopt;
  return Outcome(refused(last_failure_.code ? last_failure_ : call.failure));
}

tl::unexpected<Error> ProducerStart::refused(const Failure& failure) const {
  return fail(translate(failure, "initialising transactional producer " + clients_.config().transactional_id(tuning_.number),
                        clients_.scene()));
}

}  // namespace relay::connectors::kafka
