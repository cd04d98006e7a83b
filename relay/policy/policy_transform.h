// The policy as a step of a pipeline: every event leaves it scrubbed, blocked or rejected. Fail closed: what cannot be
// decided is a rejected event without payload, key and headers, whatever becomes of it afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/base/log.h"
#include "relay/pipeline/transform.h"
#include "relay/policy/policy.h"

namespace relay::policy {

// A field that no rule names, or a kind of event that no block matches, and how often it was met. Of fields the names
// stand for columns and members of objects of which rules name others; never a value, and never a name that is no plain
// word.
struct Unnamed {
  std::string name;  // "$.customer.phone2", "header trace_id", "order/order_cancelled of public.outbox"
  std::uint64_t count = 0;
};

struct Statistics {
  static constexpr std::size_t kNamesMax = 100;  // further ones are counted together, under the name kOthers
  static constexpr const char* kOthers = "(others)";
  std::uint64_t scrubbed = 0, blocked = 0, rejected = 0;
  std::vector<Unnamed> fields, events;
};

struct TransformOptions {
  bool keep_originals = false;  // for the dead letter table
};

class PolicyTransform final : public Transform {
 public:
  PolicyTransform(std::unique_ptr<Policy> policy, TransformOptions options, Logger log);
  ~PolicyTransform() override;

  void apply(Batch& batch, std::size_t first) override;
  Statistics statistics() const;  // any thread

 private:
  class Watch;

  void scrub(Event& event, Arena& arena);
  bool scrub_with(Block& block, Event& event, Arena& arena);
  bool scrub_field(FieldRule& rule, std::string_view& field, Arena& arena);
  bool scrub_headers(Block& block, Event& event, Arena& arena);
  bool scrub_payload(Block& block, Event& event, Arena& arena);
  void reject(Event& event, std::string_view code, std::string_view reason);
  static void strip(Event& event);

  std::unique_ptr<Policy> policy_;
  const TransformOptions options_;
  Logger log_;
  JsonRewriter rewriter_;
  std::string text_;
  std::vector<Header> headers_;
  mutable std::mutex mutex_;      // guards what follows, while a batch is worked on and while somebody looks
  Statistics statistics_;
  std::unique_ptr<Watch> watch_;  // which names were met
};

}  // namespace relay::policy
