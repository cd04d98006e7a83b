#include "relay/pipeline/progress_json.h"

#include <nlohmann/json.hpp>

namespace relay {
namespace {

using Json = nlohmann::ordered_json;

std::string_view state_name(ProgressState state) {
  switch (state) {
    case ProgressState::creating: return "creating";
    case ProgressState::snapshot: return "snapshot";
    case ProgressState::streaming: return "streaming";
    case ProgressState::reset: return "reset";
  }
  return "streaming";
}

std::optional<ProgressState> state_of(std::string_view name) {
  for (auto s : {ProgressState::creating, ProgressState::snapshot, ProgressState::streaming, ProgressState::reset})
    if (state_name(s) == name) return s;
  return std::nullopt;
}

// Thrown and caught in this file only.
struct BadField {
  std::string name;
};

Lsn lsn_at(const Json& object, const char* name) {
  const auto lsn = parse_lsn(object.at(name).get_ref<const std::string&>());
  if (!lsn) throw BadField{name};
  return *lsn;
}

// Row ids have names and a form of their own, so that nobody takes one for an LSN: not a person, nor a program that
// knows only LSNs.
constexpr std::string_view kRowIds = "row_id";

Lsn id_at(const Json& object, const char* name) { return Lsn{object.at(name).get<std::uint64_t>()}; }

Json row_position_json(const Position& p) { return {{"id", p.commit_lsn.value}, {"xid", p.xid}}; }

Position row_position_of(const Json& j) {
  Position p;
  p.commit_lsn = p.end_lsn = id_at(j, "id");
  p.xid = j.at("xid").get<std::uint32_t>();
  return p;
}

Json position_json(const Position& p) {
  return {{"commit_lsn", to_string(p.commit_lsn)}, {"end_lsn", to_string(p.end_lsn)},
          {"change_lsn", to_string(p.change_lsn)}, {"ordinal", p.ordinal},
          {"xid", p.xid},                          {"commit_time_us", p.commit_time_us}};
}

Position position_of(const Json& j) {
  Position p;
  p.commit_lsn = lsn_at(j, "commit_lsn");
  p.end_lsn = lsn_at(j, "end_lsn");
  p.change_lsn = lsn_at(j, "change_lsn");
  p.ordinal = j.at("ordinal").get<std::uint32_t>();
  p.xid = j.at("xid").get<std::uint32_t>();
  p.commit_time_us = j.at("commit_time_us").get<std::int64_t>();
  return p;
}

// A key as a string; as an array of bytes when it is no UTF-8, which a database in SQL_ASCII may have: the place of an
// initial read must be stored exactly.
Json key_json(const std::string& key) {
  try {
    Json as_text(key);
    (void)as_text.dump();
    return as_text;
  } catch (const Json::type_error&) {
    return std::vector<std::uint8_t>(key.begin(), key.end());
  }
}

Json keys_json(const std::vector<std::string>& keys) {
  auto list = Json::array();
  for (const auto& key : keys) list.push_back(key_json(key));
  return list;
}

std::vector<std::string> keys_of(const Json& list) {
  std::vector<std::string> keys;
  for (const auto& key : list) {
    if (key.is_string()) {
      keys.push_back(key.get<std::string>());
      continue;
    }
    const auto bytes = key.get<std::vector<std::uint8_t>>();
    keys.emplace_back(bytes.begin(), bytes.end());
  }
  return keys;
}

Json snapshot_json(const SnapshotProgress& s) {
  return {{"consistent_point", to_string(s.consistent_point)},
          {"snapshot_text", s.snapshot_text},
          {"table_index", s.table_index},
          {"last_key", keys_json(s.last_key)},
          {"storage", s.storage},
          {"rows", s.rows},
          {"resumed", s.resumed},
          {"resumed_at", to_string(s.resumed_at)}};
}

SnapshotProgress snapshot_of(const Json& j) {
  SnapshotProgress s;
  s.consistent_point = lsn_at(j, "consistent_point");
  s.snapshot_text = j.at("snapshot_text").get<std::string>();
  s.table_index = j.at("table_index").get<std::uint32_t>();
  s.last_key = keys_of(j.at("last_key"));
  s.storage = j.at("storage").get<std::vector<std::string>>();
  s.rows = j.at("rows").get<std::uint64_t>();
  s.resumed = j.at("resumed").get<std::uint32_t>();
  s.resumed_at = lsn_at(j, "resumed_at");
  return s;
}

Progress progress_of(const Json& j) {
  Progress p;
  const auto state = state_of(j.at("state").get_ref<const std::string&>());
  if (!state) throw BadField{"state"};
  p.state = *state;
  p.pipeline = j.at("pipeline").get<std::string>();
  p.cluster_id = j.at("cluster_id").get<std::string>();
  p.system_identifier = j.at("system_identifier").get<std::string>();
  p.timeline = j.at("timeline").get<std::uint32_t>();
  p.slot = j.at("slot").get<std::string>();
  if (j.contains("place")) {
    if (j.at("place").get_ref<const std::string&>() != kRowIds) throw BadField{"place"};
    p.place = PlaceKind::row_id;
  }
  const bool ids = p.place == PlaceKind::row_id;
  p.position = ids ? row_position_of(j.at("position")) : position_of(j.at("position"));
  p.end_lsn = ids ? id_at(j, "end_id") : lsn_at(j, "end_lsn");
  p.sequence = j.at("sequence").get<std::uint64_t>();
  if (j.contains("snapshot")) p.snapshot = snapshot_of(j.at("snapshot"));
  p.fingerprint = j.at("fingerprint").get<std::string>();
  p.written_at_us = j.at("written_at_us").get<std::int64_t>();
  return p;
}

tl::unexpected<Error> unreadable(const std::string& why) {
  return fail(ErrorKind::corrupt, "progress_unreadable", "reading the stored progress record: " + why,
              "look at it with: outbox-relay progress show; a newer version of the relay may have written it");
}

}  // namespace

std::string progress_to_json(const Progress& p) {
  Json j{{"version", Progress::kFormatVersion},
         {"state", state_name(p.state)},
         {"pipeline", p.pipeline},
         {"cluster_id", p.cluster_id},
         {"system_identifier", p.system_identifier},
         {"timeline", p.timeline},
         {"slot", p.slot}};
  if (p.place == PlaceKind::row_id) {
    j["place"] = kRowIds;
    j["position"] = row_position_json(p.position);
    j["end_id"] = p.end_lsn.value;
  } else {
    j["position"] = position_json(p.position);
    j["end_lsn"] = to_string(p.end_lsn);
  }
  j["sequence"] = p.sequence;
  if (!(p.snapshot == SnapshotProgress{})) j["snapshot"] = snapshot_json(p.snapshot);
  j["fingerprint"] = p.fingerprint;
  j["written_at_us"] = p.written_at_us;
  // Key values of rows can be in any encoding the database allows; never throw over them.
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Progress> progress_from_json(std::string_view text) {
  try {
    const auto j = Json::parse(text);
    const auto version = j.at("version").get<int>();
    if (version != Progress::kFormatVersion)
      return unreadable("its format version is " + std::to_string(version) + ", this relay reads " +
                        std::to_string(Progress::kFormatVersion));
    return progress_of(j);
  } catch (const BadField& bad) {
    return unreadable("the field " + bad.name + " is malformed");
  } catch (const Json::exception&) {
    return unreadable("it is not the JSON object that was written");
  }
}

}  // namespace relay
