// A policy from text, with keys in memory, applied to one event at a time; and what it logs.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "relay/policy/policy_file.h"
#include "relay/policy/policy_transform.h"

namespace relay::policy::test {

inline std::string as_text(const LogValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr ? *text : "(a number)";
}

struct LogText final : LogOutput {
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view event, std::string_view message, std::span<const LogField>,
             std::span<const LogField> fields) override {
    text.append(event).append(": ").append(message);
    for (const auto& field : fields) text += " " + field.key + "=" + as_text(field.value);
    text += '\n';
  }
  std::string text;
};

inline const config::Environment kKeysInEnvironment = [](const std::string& name) -> std::optional<std::string> {
  if (name == "K1") return "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
  if (name == "K2") return "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI=";
  return std::nullopt;
};

inline std::string said(const config::Diagnostics& diagnostics) {
  std::string out;
  for (const auto& d : diagnostics) out += d.text() + "\n";
  return out;
}

inline LoadedPolicy load(const std::string& yaml) {
  return load_policy_text({"policy.yaml", yaml}, kKeysInEnvironment);
}

// `payload`: lines of YAML, each a path and its rule.
inline std::string policy_of(const std::string& payload) {
  std::string lines;
  for (std::size_t at = 0; at < payload.size();) {
    const auto end = std::min(payload.find('\n', at), payload.size());
    lines += "      " + payload.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return "version: 1\nkeys: {k1: {environment: K1}, k2: {environment: K2}}\nevents:\n"
         "  - match: {aggregate_type: order, event_type: placed}\n    key: keep\n    payload:" +
         (payload.empty() ? std::string(" {}\n") : "\n" + lines);
}

struct Rig {
  explicit Rig(const std::string& yaml, TransformOptions options = {}) : log(std::make_shared<LogText>()) {
    auto loaded = load(yaml);
    REQUIRE_MESSAGE(!loaded.has_errors(), said(loaded.diagnostics));
    const auto keys = load_keys(loaded.policy.keys, kKeysInEnvironment);
    REQUIRE(keys.has_value());
    transform = std::make_unique<PolicyTransform>(compile(loaded.policy, *keys), options, Logger(log));
  }

  Event& event(std::string_view payload) {
    batch.clear(1u << 20);
    auto& e = batch.add(payload.size());
    e.id = "id-1";
    e.aggregate_type = "order";
    e.aggregate_id = "17";
    e.event_type = "placed";
    e.source_table = "public.outbox";
    e.payload = payload;
    return e;
  }
  const Event& apply() {
    transform->apply(batch, 0);
    return batch.events()[0];
  }
  const Event& scrub(std::string_view payload) {
    event(payload);
    return apply();
  }
  // The payload that leaves, or the code of the rejection.
  std::string payload(std::string_view text) {
    const auto& e = scrub(text);
    if (e.disposition == Disposition::deliver) return std::string(e.payload);
    CHECK(e.payload.data() == nullptr);
    CHECK(e.aggregate_id.data() == nullptr);
    return std::string(e.reject_code);
  }

  std::shared_ptr<LogText> log;
  std::unique_ptr<PolicyTransform> transform;
  Batch batch;
};

// What becomes of the payload under these rules.
inline std::string scrubbed(const std::string& rules, std::string_view payload) {
  return Rig(policy_of(rules)).payload(payload);
}

}  // namespace relay::policy::test
