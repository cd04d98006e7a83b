#include "connectors/kafka/progress_topic_rules.h"

#include <doctest/doctest.h>

using namespace relay::connectors::kafka;
using Window = BackwardScan::Window;

namespace {

const std::map<std::string, std::string> kGood{{"cleanup.policy", "compact"},
                                               {"segment.bytes", "16777216"},
                                               {"segment.ms", "600000"},
                                               {"unclean.leader.election.enable", "false"}};

std::map<std::string, std::string> with(const std::string& name, const std::string& value) {
  auto s = kGood;
  s[name] = value;
  return s;
}

}  // namespace

TEST_CASE("the topic that the relay creates passes its own judgement") {
  const auto verdict = judge_progress_topic(1, kGood);
  CHECK(verdict.refusals.empty());
  CHECK(verdict.warnings.empty());
}

TEST_CASE("more than one partition is refused") {
  CHECK(judge_progress_topic(3, kGood).refusals.size() == 1);
  CHECK(judge_progress_topic(0, kGood).refusals.size() == 1);
}

TEST_CASE("a cleanup policy that can delete the record is refused") {
  CHECK(judge_progress_topic(1, with("cleanup.policy", "delete")).refusals.size() == 1);
  CHECK(judge_progress_topic(1, with("cleanup.policy", "compact,delete")).refusals.size() == 1);
  CHECK(judge_progress_topic(1, with("cleanup.policy", "delete, compact")).refusals.size() == 1);
  CHECK(judge_progress_topic(1, with("cleanup.policy", "")).refusals.size() == 1);
}

TEST_CASE("other settings only warn, and unknown ones are not judged") {
  const auto verdict = judge_progress_topic(1, with("segment.ms", "604800000"));
  CHECK(verdict.refusals.empty());
  CHECK(verdict.warnings.size() == 1);
  CHECK(judge_progress_topic(1, {}).refusals.empty());
  CHECK(judge_progress_topic(1, {}).warnings.empty());
}

TEST_CASE("the search goes backwards in doubling windows to the beginning") {
  BackwardScan scan(0, 10'000);
  CHECK(scan.next() == Window{9'000, 10'000});
  CHECK(scan.next() == Window{7'000, 9'000});
  CHECK(scan.next() == Window{3'000, 7'000});
  CHECK(scan.next() == Window{0, 3'000});
  CHECK_FALSE(scan.next());
}

TEST_CASE("windows leave no offset out and search none twice") {
  for (const std::int64_t high : {1, 999, 1'000, 1'001, 1'000'000}) {
    BackwardScan scan(17, 17 + high);
    auto end = 17 + high;
    while (const auto window = scan.next()) {
      CHECK(window->end == end);
      CHECK(window->first < window->end);
      end = window->first;
    }
    CHECK(end == 17);
  }
}

TEST_CASE("an empty topic has nothing to search") {
  BackwardScan fresh(0, 0);
  CHECK_FALSE(fresh.next());
  BackwardScan all_deleted(500, 500);
  CHECK_FALSE(all_deleted.next());
}

TEST_CASE("the last record with our key counts") {
  NewestRecord newest("orders");
  CHECK_FALSE(newest.found());
  newest.see("orders", "one", 10);
  newest.see("other", "two", 11);
  newest.see("orders", "three", 12);
  newest.see("orders", "late", 9);
  CHECK(newest.found());
  CHECK(newest.offset() == 12);
  CHECK(newest.value() == "three");
}

TEST_CASE("a tombstone says that nothing is stored, and ends the search") {
  NewestRecord newest("orders");
  newest.see("orders", "one", 10);
  newest.see("orders", {}, 11);
  CHECK(newest.found());
  CHECK_FALSE(newest.value());
}

TEST_CASE("an empty value is a value") {
  NewestRecord newest("orders");
  newest.see("orders", std::string_view("", 0), 1);
  CHECK(newest.value() == "");
}
