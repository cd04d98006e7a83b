#include "relay/policy/policy_transform.h"

#include <algorithm>

#include "relay/policy/unnamed_names.h"

namespace relay::policy {
namespace {

constexpr std::string_view kClassHeader = "ce_dataclassification";

struct Fault {
  std::string_view code, reason;
};

Fault fault_of(JsonFault fault) {
  switch (fault) {
    case JsonFault::utf8: return {"policy_payload_not_utf8", "the payload is not valid UTF-8"};
    case JsonFault::surrogate: return {"policy_payload_not_utf8", "the payload has half of a surrogate pair"};
    case JsonFault::number: return {"policy_payload_number", "the payload has a number that no double can hold"};
    case JsonFault::depth: return {"policy_payload_too_deep", "the payload has more than 64 levels"};
    case JsonFault::size: return {"policy_payload_too_large", "the payload has more than 16 MiB"};
    case JsonFault::duplicate_key: return {"policy_payload_duplicate_key", "an object of the payload has a name twice"};
    case JsonFault::wrong_type: return {"policy_wrong_type", "the payload has another shape than the policy's paths"};
    case JsonFault::syntax:
    case JsonFault::none: break;
  }
  return {"policy_payload_not_json", "the payload is not JSON, which the policy's paths need"};
}

}  // namespace

// Counts names as they are met, for the statistics and one log line each.
class PolicyTransform::Watch final : public UnnamedMembers {
 public:
  explicit Watch(Statistics& statistics) : fields_(statistics.fields), events_(statistics.events) {}

  void enter(const Block& block) { block_ = &block; }
  void saw(PathAutomaton::State object, std::string_view name) override {
    static const std::string kNone;
    const auto& paths = block_->object_paths;
    fields_.count(object < paths.size() ? paths[object] : kNone, ".", name);
  }
  void saw_header(std::string_view name) { fields_.count("header ", "", name); }
  void saw_event(const Event& event) {
    kind_.clear();
    for (const auto part : {event.aggregate_type, event.event_type}) {
      kind_ += is_plain_name(part) ? part : std::string_view("?");
      kind_ += ' ';
    }
    kind_ += "of ";
    events_.count(kind_, "", event.source_table);
  }
  void tell(const Logger& log) {
    fields_.tell([&](const std::string& names) {
      log.info("policy_field_unnamed", "fields that no rule of the policy names do not leave", {{"fields", names}});
    });
    events_.tell([&](const std::string& names) {
      log.info("policy_event_blocked", "events that no block of the policy matches do not leave", {{"events", names}});
    });
  }

 private:
  const Block* block_ = nullptr;
  NameCounts fields_, events_;
  std::string kind_;
};

PolicyTransform::PolicyTransform(std::unique_ptr<Policy> policy, TransformOptions options, Logger log)
    : policy_(std::move(policy)),
      options_(options),
      log_(std::move(log)),
      watch_(std::make_unique<Watch>(statistics_)) {}

PolicyTransform::~PolicyTransform() = default;

Statistics PolicyTransform::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void PolicyTransform::apply(Batch& batch, std::size_t first) {
  const std::lock_guard lock(mutex_);
  auto& events = batch.events();
  for (auto i = first; i < events.size(); ++i) scrub(events[i], batch.arena());
  watch_->tell(log_);
}

void PolicyTransform::scrub(Event& event, Arena& arena) {
  if (options_.keep_originals) {
    const auto original = arena.array<Event>(1);
    original[0] = event;
    event.unscrubbed = original.data();
  }
  const bool rejected_before = event.disposition == Disposition::reject;
  auto* const block = policy_->block_for(event);
  if (block == nullptr) {
    watch_->saw_event(event);
    strip(event);
    event.id = std::string_view("", 0);
    event.aggregate_type = event.event_type = {};
    if (rejected_before) return;  // what it is, the source could not tell: it does not count as one that nobody wants
    event.disposition = Disposition::blocked;
    ++statistics_.blocked;
    return;
  }
  watch_->enter(*block);
  if (scrub_with(*block, event, arena)) {
    ++statistics_.scrubbed;
    return;
  }
  strip(event);
  ++statistics_.rejected;
}

void PolicyTransform::strip(Event& event) {
  event.payload = {};
  event.aggregate_id = {};
  event.headers = {};
}

// The event's first fault stays its reason.
void PolicyTransform::reject(Event& event, std::string_view code, std::string_view reason) {
  if (event.disposition == Disposition::reject) return;
  event.disposition = Disposition::reject;
  event.reject_code = code;
  event.reject_reason = reason;
}

// Id and types first, and all of them: what identifies a rejected event must be scrubbed, too.
bool PolicyTransform::scrub_with(Block& block, Event& event, Arena& arena) {
  const auto field = [&](FieldRule& rule, std::string_view& text) {
    if (scrub_field(rule, text, arena)) return true;
    text = {};
    return false;
  };
  const bool id = field(block.id, event.id);
  const bool aggregate_type = field(block.aggregate_type, event.aggregate_type);
  const bool event_type = field(block.event_type, event.event_type);
  if (!id || !aggregate_type || !event_type || !field(block.key, event.aggregate_id) ||
      !scrub_headers(block, event, arena)) {
    reject(event, "policy_wrong_type",
           "the policy's rule for the id, the key, a type or a header is not for such a text");
    return false;
  }
  return scrub_payload(block, event, arena);
}

bool PolicyTransform::scrub_field(FieldRule& rule, std::string_view& field, Arena& arena) {
  switch (rule.apply(field, text_)) {
    case FieldRule::Result::unchanged: return true;
    case FieldRule::Result::changed: field = arena.copy(text_); return true;
    case FieldRule::Result::null:
    case FieldRule::Result::gone: field = {}; return true;
    case FieldRule::Result::failed: break;
  }
  return false;
}

bool PolicyTransform::scrub_headers(Block& block, Event& event, Arena& arena) {
  headers_.clear();
  for (auto header : event.headers) {
    const auto rule =
        std::find_if(block.headers.begin(), block.headers.end(), [&](const auto& r) { return r.name == header.name; });
    if (rule == block.headers.end()) {
      watch_->saw_header(header.name);
      continue;
    }
    const auto result = rule->rule.apply(header.value, text_);
    if (result == FieldRule::Result::failed) return false;
    if (result == FieldRule::Result::gone) continue;
    if (result == FieldRule::Result::changed) header.value = arena.copy(text_);
    if (result == FieldRule::Result::null) header.value = {};
    headers_.push_back(header);
  }
  if (!block.classes.empty()) headers_.push_back({kClassHeader, block.classes});
  const auto kept = arena.array<Header>(headers_.size());
  std::copy(headers_.begin(), headers_.end(), kept.begin());
  event.headers = kept;
  return true;
}

bool PolicyTransform::scrub_payload(Block& block, Event& event, Arena& arena) {
  if (event.is_tombstone() || block.payload_as_it_is) return true;
  const auto outcome = rewriter_.rewrite(event.payload, block.payload, watch_.get());
  if (outcome.fault == JsonFault::none) {
    if (outcome.json.data() != event.payload.data()) event.payload = arena.copy(outcome.json);
    return true;
  }
  const auto fault = fault_of(outcome.fault);
  const bool of_rule = outcome.rule != PathAutomaton::kNoRule;
  reject(event, fault.code,
         of_rule ? std::string_view(block.wrong_types[static_cast<std::size_t>(outcome.rule)]) : fault.reason);
  return false;
}

}  // namespace relay::policy
