// Findings, progress and migrations as text and JSON.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "relay/app/findings.h"
#include "relay/app/migrate_status.h"
#include "relay/app/progress_text.h"

using namespace relay;
using namespace relay::app;
using Json = nlohmann::json;

namespace {

const std::vector<PipelineFindings> kFindings{
    {"orders",
     {{Severity::ok, "", "database", "wal_level is logical", ""},
      {Severity::error, "publication_missing", "publication p", "there is none",
       "CREATE PUBLICATION p\n  FOR TABLE t;"},
      {Severity::warning, "keep_size", "database", "max_slot_wal_keep_size is -1", "ALTER SYSTEM ...;"}}}};

}  // namespace

TEST_CASE("findings are grouped by what was looked at, with what mends them below") {
  CHECK(findings_text(kFindings, false) ==
        "pipeline orders\n"
        "  database\n"
        "    ok       wal_level is logical\n"
        "    warning  max_slot_wal_keep_size is -1 [keep_size]\n"
        "               ALTER SYSTEM ...;\n"
        "  publication p\n"
        "    error    there is none [publication_missing]\n"
        "               CREATE PUBLICATION p\n"
        "                 FOR TABLE t;\n"
        "1 error, 1 warning\n");
  CHECK(findings_text(kFindings, true).find("\033[1;31merror\033[m") != std::string::npos);
}

TEST_CASE("findings as JSON hold everything") {
  const auto json = Json::parse(findings_json(kFindings));
  CHECK(json["errors"] == 1);
  CHECK(json["warnings"] == 1);
  const auto& finding = json["pipelines"][0]["findings"][1];
  CHECK(finding["severity"] == "error");
  CHECK(finding["code"] == "publication_missing");
  CHECK(finding["fix"] == "CREATE PUBLICATION p\n  FOR TABLE t;");
}

TEST_CASE("progress is shown in words and as the JSON that is stored") {
  Progress progress;
  progress.pipeline = "orders";
  progress.system_identifier = "73";
  progress.timeline = 2;
  progress.slot = "s";
  progress.sequence = 1'234;
  progress.end_lsn = Lsn{0x16B374D848};
  progress.position.commit_lsn = Lsn{0x16B374D800};
  progress.position.end_lsn = progress.end_lsn;
  progress.position.xid = 745;
  const auto text = progress_text("orders", progress);
  CHECK(text.find("  sequence      1234\n") != std::string::npos);
  CHECK(text.find("commit 16/B374D800, transaction 745") != std::string::npos);
  CHECK(text.find("16/B374D848 (everything below is delivered or was not ours)") != std::string::npos);
  CHECK(progress_text("orders", std::nullopt) == "pipeline orders\n  nothing is stored yet\n");
  const auto json = Json::parse(progress_list_json({{"orders", progress}, {"new", std::nullopt}}));
  CHECK(json["pipelines"][0]["progress"]["sequence"] == 1'234);
  CHECK(json["pipelines"][1]["progress"].is_null());
  CHECK(short_progress(progress) == "16/B374D848, sequence 1234");
}

TEST_CASE("the state of the migrations is shown in lines and as JSON that holds the same") {
  const MigrateStatus status{"db:5432/shop",
                             {{"outbox_relay_store", "2026-01-02 03:04:05Z", "UP", "DOWN", ""}},
                             {"outbox_relay_outbox"},
                             {"outbox_relay_messages"},
                             {"column outbox.\"x\" is missing"}};
  CHECK_FALSE(status.as_it_should_be());
  CHECK(migrate_status_text(status) ==
        "schema outbox_relay in db:5432/shop\n"
        "  applied   outbox_relay_store  2026-01-02 03:04:05Z\n"
        "  there     outbox_relay_outbox  (not by migrate apply)\n"
        "  missing   outbox_relay_messages\n"
        "  differs   column outbox.\"x\" is missing\n");
  CHECK(migrate_status_json(status) ==
        R"({"database":"db:5432/shop","applied":[{"name":"outbox_relay_store","applied_at":"2026-01-02 03:04:05Z"}],)"
        R"("there":["outbox_relay_outbox"],"missing":["outbox_relay_messages"],)"
        R"("differences":["column outbox.\"x\" is missing"]})"
        "\n");
}

TEST_CASE("where nothing was migrated there are no lines but one, and empty lists") {
  const MigrateStatus status{"db/shop", {}, {}, {}, {}};
  CHECK(status.as_it_should_be());
  CHECK(migrate_status_text(status) == "schema outbox_relay in db/shop\n  nothing of it is there\n");
  const auto json = Json::parse(migrate_status_json(status));
  for (const auto* list : {"applied", "there", "missing", "differences"}) CHECK(json[list] == Json::array());
}
