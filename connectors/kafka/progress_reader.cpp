#include "connectors/kafka/progress_reader.h"

#include <algorithm>
#include <cstdlib>

#include "connectors/kafka/commands.h"
#include "relay/pipeline/progress_json.h"

namespace relay::connectors::kafka {
namespace {

constexpr Millis kQuestion{1'000};
constexpr Millis kSlice{100};

}  // namespace

ProgressReader::ProgressReader(ClientFactory& clients, Logger log, Deadline deadline, ReadMode mode)
    : clients_(clients),
      log_(std::move(log)),
      deadline_(std::move(deadline)),
      mode_(mode),
      topic_(clients.config().progress_topic()),
      newest_(clients.config().pipeline) {}

ProgressReader::~ProgressReader() { stop_consuming(); }

Result<std::optional<StoredProgress>> ProgressReader::run() {
  for (;;)
    if (auto outcome = step(kSlice)) return std::move(*outcome);
}

ProgressReader::Step ProgressReader::step(Millis wait) {
  if (stage_ != Stage::done && deadline_.over()) return out_of_time();
  for (auto* client : {observer_.get(), reader_.get()}) {
    if (!client) continue;
    client->serve(Millis{0});
    if (auto failure = client->take_connection_failure()) {
      last_failure_ = *failure;
      if (is_authentication(failure->code) || is_tls(failure->code))
        return failed(explain(*failure, "reading the stored progress"));
    }
  }
  switch (stage_) {
    case Stage::connect: return connect();
    case Stage::look_up: return look_up(std::max(wait, kQuestion));
    case Stage::describe:
      if (auto answer = describing_->step(wait)) return judge(*answer);
      return std::nullopt;
    case Stage::watermarks: return read_watermarks(std::max(wait, kQuestion));
    case Stage::scan: return scan(wait);
    case Stage::done: break;
  }
  return std::nullopt;
}

ProgressReader::Step ProgressReader::connect() {
  auto observer = clients_.make(ClientRole::observer);
  if (!observer) return failed(std::move(observer).error());
  auto reader = clients_.make(ClientRole::reader);
  if (!reader) return failed(std::move(reader).error());
  observer_ = std::move(*observer);
  reader_ = std::move(*reader);
  stage_ = Stage::look_up;
  return std::nullopt;
}

ProgressReader::Step ProgressReader::look_up(Millis wait) {
  const auto state = look_up_topic(*observer_, topic_, deadline_.slice(wait));
  if (state.kind == TopicState::Kind::failed) {
    if (last_failure_.code == 0) last_failure_ = state.failure;  // what a connection said tells more
    if (state.failure.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
      return failed(explain(state.failure, "looking up the progress topic"));
    return std::nullopt;
  }
  clients_.note_connected();
  if (char* id = rd_kafka_clusterid(observer_->get(), static_cast<int>(deadline_.slice(wait).count()))) {
    cluster_id_ = id;
    rd_kafka_mem_free(observer_->get(), id);
  }
  if (cluster_id_.empty() || state.kind == TopicState::Kind::not_ready) {
    last_failure_ = {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "the progress topic has no leader"};
    deadline_.nap(kSlice);
    return std::nullopt;
  }
  if (state.kind == TopicState::Kind::missing) return finish();
  if (const auto verdict = judge_progress_topic(state.partitions, {}); !verdict.refusals.empty())
    return failed({ErrorKind::fatal, "progress_topic_invalid",
                   "checking the progress topic " + topic_ + ": " + verdict.refusals.front(),
                   "stop the relay, move its record to a topic with one partition: " +
                       create_progress_topic_command(clients_.config())});
  const bool judged = mode_ == ReadMode::compare;
  if (!judged) describing_ = AdminRequest::describe_topic(*observer_, topic_);
  stage_ = judged ? Stage::watermarks : Stage::describe;
  return std::nullopt;
}

ProgressReader::Step ProgressReader::judge(const AdminRequest::Answer& answer) {
  if (answer.failure.code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
    log_.warn("progress_topic_unverified",
              "the settings of the progress topic cannot be checked: DescribeConfigs is not allowed",
              {{"topic", topic_}, {"hint", acl_for_progress_topic(clients_.config(), false)}});
  } else if (explain(answer.failure, "").code == "broker_unreachable") {
    last_failure_ = answer.failure;
    stage_ = Stage::look_up;  // begin again
    return std::nullopt;
  } else if (answer.failure.code) {
    log_.warn("progress_topic_unverified", "the settings of the progress topic cannot be checked: " + answer.failure.text,
              {{"topic", topic_}});
  }
  const auto verdict = judge_progress_topic(1, answer.settings);
  if (!verdict.refusals.empty())
    return failed({ErrorKind::fatal, "progress_topic_invalid",
                   "checking the progress topic " + topic_ + ": " + verdict.refusals.front(),
                   alter_progress_topic_command(clients_.config())});
  for (const auto& warning : verdict.warnings)
    log_.warn("progress_topic_settings", "the progress topic differs from what the relay would create: " + warning,
              {{"topic", topic_}, {"hint", alter_progress_topic_command(clients_.config())}});
  stage_ = Stage::watermarks;
  return std::nullopt;
}

ProgressReader::Step ProgressReader::read_watermarks(Millis wait) {
  std::int64_t low = 0;
  const auto code = rd_kafka_query_watermark_offsets(observer_->get(), topic_.c_str(), 0, &low, &high_,
                                                     static_cast<int>(deadline_.slice(wait).count()));
  if (code) {
    last_failure_ = {code, ""};
    deadline_.nap(kSlice);
    return std::nullopt;
  }
  if (mode_ == ReadMode::peek && !leave_out_undecided(wait)) return std::nullopt;
  windows_.emplace(low, high_);
  handle_.reset(rd_kafka_topic_new(reader_->get(), topic_.c_str(), nullptr));
  return next_window();
}

// What lies below the last stable offset is decided. False: the broker did not say; to be asked again.
bool ProgressReader::leave_out_undecided(Millis wait) {
  std::int64_t low = 0, stable = 0;
  const auto code = rd_kafka_query_watermark_offsets(reader_->get(), topic_.c_str(), 0, &low, &stable,
                                                     static_cast<int>(deadline_.slice(wait).count()));
  if (code) {
    last_failure_ = {code, ""};
    deadline_.nap(kSlice);
    return false;
  }
  newer_hidden_ = stable < high_;
  high_ = std::min(high_, stable);
  return true;
}

ProgressReader::Step ProgressReader::next_window() {
  stop_consuming();
  const auto window = windows_->next();
  if (newest_.found() || !window) return finish();
  window_ = *window;
  at_ = window_.first;
  if (rd_kafka_consume_start(handle_.get(), 0, at_) != 0) return failed(explain({rd_kafka_last_error(), ""}, "reading the stored progress"));
  consuming_ = true;
  stage_ = Stage::scan;
  return std::nullopt;
}

ProgressReader::Step ProgressReader::scan(Millis wait) {
  int timeout = static_cast<int>(deadline_.slice(wait).count());
  while (const MessageHandle message{rd_kafka_consume(handle_.get(), 0, timeout)}) {
    timeout = 0;
    if (!message->err) {
      see(*message);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      at_ = std::max(at_, message->offset);
    } else {
      last_failure_ = {message->err, rd_kafka_message_errstr(message.get())};
    }
    if (at_ >= window_.end) return next_window();
  }
  return std::nullopt;
}

void ProgressReader::see(const rd_kafka_message_t& m) {
  at_ = std::max(at_, m.offset + 1);
  if (m.offset >= window_.end) return;
  newest_.see({static_cast<const char*>(m.key), m.key_len},
              m.payload ? std::string_view(static_cast<const char*>(m.payload), m.len) : std::string_view(), m.offset);
}

ProgressReader::Step ProgressReader::finish() {
  stop_consuming();
  stage_ = Stage::done;
  if (!newest_.value()) return Result<std::optional<StoredProgress>>(std::nullopt);
  auto progress = progress_from_json(*newest_.value());
  if (!progress) return failed(std::move(progress).error());
  return Result<std::optional<StoredProgress>>(StoredProgress{*newest_.value(), std::move(*progress)});
}

ProgressReader::Step ProgressReader::failed(Error error) {
  stop_consuming();
  stage_ = Stage::done;
  return Result<std::optional<StoredProgress>>(fail(std::move(error)));
}

ProgressReader::Step ProgressReader::out_of_time() {
  if (deadline_.stopped())
    return failed({ErrorKind::cancelled, "cancelled", "reading the stored progress: told to stop", ""});
  if (stage_ == Stage::scan) return failed(blocked());
  if (last_failure_.code == 0) last_failure_ = {RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer in time"};
  return failed(explain(last_failure_, "reading the stored progress"));
}

Error ProgressReader::blocked() {
  std::int64_t low = 0, stable = 0;
  if (rd_kafka_query_watermark_offsets(reader_->get(), topic_.c_str(), 0, &low, &stable,
                                       static_cast<int>(kQuestion.count())))
    return explain(last_failure_.code ? last_failure_ : Failure{RD_KAFKA_RESP_ERR__TIMED_OUT, ""},
                   "reading the stored progress");
  const auto where = "topic " + topic_ + ", last stable offset " + std::to_string(stable) + ", high watermark " +
                     std::to_string(high_);
  if (stable >= high_)
    return {ErrorKind::transient, "progress_slow", "reading the stored progress: not done in time (" + where + ")", ""};
  return {ErrorKind::transient, "progress_blocked",
          "reading the stored progress: a transaction that never ended hides the newest record (" + where + ")",
          "kafka-transactions.sh --bootstrap-server " + clients_.config().bootstrap_servers + " abort --topic " + topic_ +
              " --partition 0 --start-offset " + std::to_string(stable)};
}

Error ProgressReader::explain(const Failure& failure, const std::string& attempted) {
  return translate(failure, attempted, clients_.scene(topic_));
}

void ProgressReader::stop_consuming() noexcept {
  if (std::exchange(consuming_, false)) rd_kafka_consume_stop(handle_.get(), 0);
}

}  // namespace relay::connectors::kafka
