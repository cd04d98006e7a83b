// The events that the sink contract sends, and the form in which it reads them back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "relay/model/batch.h"
#include "relay/pipeline/sink.h"

namespace relay::contract {

// The sinks under test are built for this pipeline.
inline constexpr const char* kPipeline = "contract";
inline constexpr const char* kAggregateType = "contract_order";

using HeaderText = std::pair<std::string, std::optional<std::string>>;

// An event as a consumer finds it: decoded, byte for byte what the source gave. `headers` are the additional columns in
// their order, without what the sink adds.
struct ReadEvent {
  std::uint64_t sequence = 0;
  std::string id, aggregate_type, aggregate_id, event_type;
  std::optional<std::string> payload;
  std::vector<HeaderText> headers;

  bool operator==(const ReadEvent&) const = default;
};

using ByAggregate = std::map<std::string, std::vector<ReadEvent>>;

inline ByAggregate by_aggregate(const std::vector<ReadEvent>& events) {
  ByAggregate out;
  for (const auto& event : events) out[event.aggregate_id].push_back(event);
  return out;
}

// Where two streams part, in words; empty when they are the same.
inline std::string first_difference(const ByAggregate& expected, const ByAggregate& found) {
  if (expected.size() != found.size())
    return std::to_string(expected.size()) + " aggregates expected, " + std::to_string(found.size()) + " found";
  for (const auto& [key, events] : expected) {
    const auto at = found.find(key);
    if (at == found.end()) return "nothing found of aggregate " + key;
    for (std::size_t i = 0; i < events.size() && i < at->second.size(); ++i)
      if (events[i] != at->second[i])
        return "aggregate " + key + ", event " + std::to_string(i) + ": expected sequence " +
               std::to_string(events[i].sequence) + ", found sequence " + std::to_string(at->second[i].sequence) +
               (events[i].sequence == at->second[i].sequence ? " with other content" : "");
    if (events.size() != at->second.size())
      return "aggregate " + key + ": " + std::to_string(events.size()) + " events expected, " +
             std::to_string(at->second.size()) + " found";
  }
  return {};
}

// Texts that break careless writers.
inline std::vector<std::string> odd_texts() {
  return {"plain",
          "quote \" and backslash \\ and slash /",
          std::string("a NUL \0 inside", 14),
          "line\nbreak, return\r, tab\t, bell\x07",
          "umlaut \xc3\xbc, snowman \xe2\x98\x83, emoji \xf0\x9f\x98\x80, separator \xe2\x80\xa8",
          " leading and trailing ",
          "null",
          "{\"looks\":\"like json\"}",
          std::string(300, 'l')};
}

// Makes batches as a pipeline would hand them over: sequences without a gap, progress that moves on. Keeps them, and
// what they held, as long as it lives.
class Stream {
 public:
  // A closed batch of `events` ordinary events; with 0 an empty one, to which add() may append before close_batch().
  Batch& batch(std::size_t events) {
    batches_.push_back(std::make_unique<Batch>());
    for (std::size_t i = 0; i < events; ++i)
      add("event-" + std::to_string(sequence_ + 1),
          "{\"n\":" + std::to_string(sequence_ + 1) + ",\"note\":\"contract\"}", {{"tenant", "t1"}});
    return close_batch(*batches_.back());
  }

  void add(std::string id, std::optional<std::string> payload, std::vector<HeaderText> headers) {
    ReadEvent sent;
    sent.sequence = ++sequence_;
    sent.id = std::move(id);
    sent.aggregate_type = kAggregateType;
    sent.aggregate_id = "aggregate " + std::to_string(sequence_ % 3);
    sent.event_type = "order_placed";
    sent.payload = std::move(payload);
    sent.headers = std::move(headers);
    append(*batches_.back(), sent);
    sent_.push_back(std::move(sent));
  }

  Batch& close_batch(Batch& batch) {
    lsn_ += 0x100;
    Position position;
    position.commit_lsn = Lsn{lsn_};
    position.end_lsn = Lsn{lsn_ + 0x30};
    position.xid = static_cast<std::uint32_t>(700 + batches_.size());
    position.commit_time_us = kTime;
    batch.mark_boundary(position, position.end_lsn);
    auto& progress = batch.progress;
    progress.pipeline = kPipeline;
    progress.system_identifier = "7300000000000000001";
    progress.timeline = 1;
    progress.slot = "outbox_relay_contract";
    progress.position = position;
    progress.end_lsn = position.end_lsn;
    progress.sequence = sequence_;
    progress.fingerprint = "contract";
    progress.written_at_us = kTime + static_cast<std::int64_t>(batches_.size());
    return batch;
  }

  const std::vector<ReadEvent>& sent() const { return sent_; }
  std::vector<ReadEvent> sent_without(const std::set<std::size_t>& indices) const {
    std::vector<ReadEvent> out;
    for (std::size_t i = 0; i < sent_.size(); ++i)
      if (!indices.contains(i)) out.push_back(sent_[i]);
    return out;
  }
  const Progress& progress() const { return batches_.back()->progress; }

 private:
  static constexpr std::int64_t kTime = 1'700'000'000'123'456;

  void append(Batch& batch, const ReadEvent& sent) {
    auto& arena = batch.arena();
    auto& event = batch.add(sent.id.size() + (sent.payload ? sent.payload->size() : 0));
    event.sequence = sent.sequence;
    event.id = arena.copy(sent.id);
    event.aggregate_type = arena.copy(sent.aggregate_type);
    event.aggregate_id = arena.copy(sent.aggregate_id);
    event.event_type = arena.copy(sent.event_type);
    if (sent.payload) event.payload = arena.copy(*sent.payload);
    const auto headers = arena.array<Header>(sent.headers.size());
    for (std::size_t i = 0; i < headers.size(); ++i) {
      headers[i].name = arena.copy(sent.headers[i].first);
      if (sent.headers[i].second) headers[i].value = arena.copy(*sent.headers[i].second);
    }
    event.headers = headers;
    event.source_table = "public.outbox";
    event.commit_lsn = Lsn{lsn_ + 0x100};
    event.change_lsn = Lsn{lsn_ + 0x10};
    event.ordinal = static_cast<std::uint32_t>(batch.events().size());
    event.xid = static_cast<std::uint32_t>(700 + batches_.size());
    event.commit_time_us = kTime;
  }

  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<ReadEvent> sent_;
  std::uint64_t sequence_ = 0;
  std::uint64_t lsn_ = 0x16B0000;
};

inline void mark_dead_letter(Batch& batch, std::size_t index) {
  auto& event = batch.events().at(index);
  event.disposition = Disposition::dead_letter;
  event.reject_code = "contract_rejected";
  event.reject_reason = "the contract says so";
}

}  // namespace relay::contract
