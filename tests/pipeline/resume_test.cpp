#include "relay/pipeline/resume.h"

#include <doctest/doctest.h>

using namespace relay;

namespace {

SourceState server() {
  SourceState s;
  s.system_identifier = "71";
  s.timeline = 2;
  s.wal_end = {0x9000};
  s.slot_name = "slot_a";
  s.slot = SlotState{{0x5000}, false, 0};
  s.fingerprint = "f";
  return s;
}

Progress stored() {
  Progress p;
  p.pipeline = "orders";
  p.cluster_id = "K";
  p.system_identifier = "71";
  p.timeline = 2;
  p.slot = "slot_a";
  p.position = {{0x6000}, {0x6100}, {}, 0, 9, 1};
  p.end_lsn = {0x6100};
  p.sequence = 12;
  p.fingerprint = "f";
  return p;
}

// The refusal's code, or what is to be done.
std::string decided(const SourceState& s, const std::optional<Progress>& p, const std::string& cluster = "K") {
  const auto r = decide_start(s, p, "orders", cluster);
  if (r) return *r == StartAction::create ? "create" : *r == StartAction::recreate ? "recreate" : "resume";
  CHECK(r.error().kind == ErrorKind::fatal);
  CHECK_MESSAGE(!r.error().hint.empty(), r.error().code);
  return r.error().code;
}

}  // namespace

TEST_CASE("a stored position that the slot can still serve is resumed") { CHECK(decided(server(), stored()) == "resume"); }

TEST_CASE("without slot and progress the slot is created, if configuration allows it") {
  auto s = server();
  s.slot.reset();
  CHECK(decided(s, std::nullopt) == "create");
  s.creation_refused = Error{ErrorKind::fatal, "slot_not_created", "not asked for", "SQL"};
  CHECK(decided(s, std::nullopt) == "slot_not_created");
}

TEST_CASE("a slot without progress is never taken over silently") {
  CHECK(decided(server(), std::nullopt) == "progress_missing");
  auto p = stored();
  p.state = ProgressState::reset;
  CHECK(decided(server(), p) == "progress_missing");
}

TEST_CASE("a creation that was cut short begins again") {
  auto p = stored();
  p.state = ProgressState::creating;
  CHECK(decided(server(), p) == "recreate");
  auto s = server();
  s.slot.reset();
  CHECK(decided(s, p) == "recreate");
}

TEST_CASE("progress of another database, slot or broker cluster is refused") {
  auto s = server();
  s.system_identifier = "72";
  CHECK(decided(s, stored()) == "system_identifier_changed");
  s = server();
  s.slot_name = "slot_b";
  CHECK(decided(s, stored()) == "slot_changed");
  CHECK(decided(server(), stored(), "other") == "cluster_changed");
}

TEST_CASE("a slot that is gone or ahead of what was delivered is refused") {
  auto s = server();
  s.slot.reset();
  CHECK(decided(s, stored()) == "slot_missing");
  s = server();
  s.slot->confirmed_flush = {0x6100};
  CHECK(decided(s, stored()) == "resume");
  s.slot->confirmed_flush = {0x6101};
  CHECK(decided(s, stored()) == "slot_ahead_of_progress");
}

TEST_CASE("a server that lacks what was delivered is refused") {
  auto s = server();
  s.wal_end = {0x6000};
  CHECK(decided(s, stored()) == "wal_behind_progress");
  s = server();
  s.timeline = 1;
  CHECK(decided(s, stored()) == "timeline_behind");
  s = server();
  s.timeline = 3;
  CHECK(decided(s, stored()) == "timeline_diverged");  // no history known
  s.history = {{1, {0x100}}, {2, {0x60FF}}};
  CHECK(decided(s, stored()) == "timeline_diverged");
  s.history = {{1, {0x100}}, {2, {0x6100}}};
  CHECK(decided(s, stored()) == "resume");
}

TEST_CASE("a changed configuration is refused where a position inside a transaction or table would change its meaning") {
  auto s = server();
  s.fingerprint = "g";
  CHECK(decided(s, stored()) == "resume");
  auto p = stored();
  p.position.change_lsn = {0x5F00};
  p.position.ordinal = 1;
  CHECK(decided(s, p) == "stream_changed_inside_transaction");
  p = stored();
  p.state = ProgressState::snapshot;
  CHECK(decided(s, p) == "stream_changed_during_snapshot");
}

namespace {

SourceState polled() {
  auto s = server();
  s.place = PlaceKind::row_id;
  s.slot_name = "public.outbox.relay_id, sequence 16391";
  s.wal_end = {140};
  s.slot = SlotState{{120}, false, 0};
  return s;
}

Progress stored_ids() {
  auto p = stored();
  p.place = PlaceKind::row_id;
  p.slot = polled().slot_name;
  p.position = {{131}, {131}, {}, 0, 9, 0};
  p.end_lsn = {131};
  return p;
}

}  // namespace

TEST_CASE("ids that were delivered are resumed as long as the sequence is not behind them") {
  CHECK(decided(polled(), stored_ids()) == "resume");
  auto s = polled();
  s.wal_end = {131};
  CHECK(decided(s, stored_ids()) == "resume");
  s.wal_end = {130};
  CHECK(decided(s, stored_ids()) == "ids_behind_progress");
  const auto refused = decide_start(s, stored_ids(), "orders", "K");
  CHECK(refused.error().message.find("id 131") != std::string::npos);
  CHECK(refused.error().message.find("0/83") == std::string::npos);
}

TEST_CASE("a sequence that was set back behind the acknowledged ids is not adopted but set forward") {
  auto s = polled();
  s.wal_end = {130};
  CHECK(decide_start(s, stored_ids(), "orders", "K").error().hint.find("progress adopt") != std::string::npos);
  s.wal_end = {119};
  CHECK(decide_start(s, stored_ids(), "orders", "K").error().hint.find("setval('SEQUENCE', 131)") != std::string::npos);
}

TEST_CASE("with row ids every other timeline, sequence and reader is refused") {
  auto s = polled();
  s.timeline = 3;
  s.history = {{2, {0xFFFF}}};  // tells LSNs, which say nothing about ids
  CHECK(decided(s, stored_ids()) == "timeline_changed");
  s = polled();
  s.slot_name = "public.outbox.relay_id, sequence 16999";
  CHECK(decided(s, stored_ids()) == "id_sequence_changed");
  s = polled();
  s.slot->confirmed_flush = {132};
  CHECK(decided(s, stored_ids()) == "reader_ahead_of_progress");
  s.slot.reset();
  CHECK(decided(s, stored_ids()) == "reader_missing");
}

TEST_CASE("progress of a slot is refused by a source that polls, and the other way round") {
  CHECK(decided(polled(), stored()) == "source_changed");
  CHECK(decided(server(), stored_ids()) == "source_changed");
  const auto refused = decide_start(polled(), stored(), "orders", "K");
  CHECK(refused.error().hint.find("source.type: slot") != std::string::npos);
}
