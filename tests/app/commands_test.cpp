#include <doctest/doctest.h>
#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "try_command.h"

using namespace relay;
using namespace relay::app;
using namespace relay::app::test;

namespace {

// Sends a signal to this process once `when` holds.
template <typename When>
std::jthread signal_when(int signal, When when) {
  return std::jthread([=](const std::stop_token& done) {
    sigset_t all;  // this thread is older than the program's, and must not be the one that gets the signal
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!done.stop_requested() && !when()) std::this_thread::sleep_for(Millis{2});
    if (!done.stop_requested()) ::kill(::getpid(), signal);
  });
}

std::uint64_t delivered(const std::shared_ptr<World>& world) {
  const std::lock_guard lock(world->mutex);
  return world->delivered;
}

Progress stored_at(std::uint64_t end_lsn) {
  Progress progress;
  progress.pipeline = "orders";
  progress.cluster_id = "fake";
  progress.system_identifier = "1";
  progress.timeline = 1;
  progress.slot = "outbox_relay_orders";
  progress.sequence = 5;
  progress.end_lsn = Lsn{end_lsn};
  return progress;
}

}  // namespace

TEST_CASE("check names the pipelines of a right configuration and lists all problems of a wrong one") {
  const auto world = std::make_shared<World>();
  const ConfigFile right(kOrders), wrong(kOrders + "    extra: 1\nnope: 2\n");
  const auto good = try_command(world, {"check", "-c", right.path()});
  CHECK(good.code == ExitCode::ok);
  CHECK(good.has("pipeline orders: slot -> memory"));
  CHECK(try_command(world, {"check", "-c", wrong.path()}).code == ExitCode::configuration);
  CHECK(try_command(world, {"check", "-c", "/nonexistent"}).code == ExitCode::configuration);
}

TEST_CASE("config show prints what is in effect without the secret") {
  const ConfigFile file(kOrders);
  const auto said = try_command(std::make_shared<World>(), {"config", "show", "-c", file.path(), "--origins"});
  CHECK(said.code == ExitCode::ok);
  CHECK(said.has("stall_release: 30s  # default"));
  CHECK_FALSE(said.has("hunter2"));
}

TEST_CASE("schema, example, reference and version need no configuration") {
  const auto world = std::make_shared<World>();
  CHECK_NOTHROW(nlohmann::json::parse(try_command(world, {"config", "schema"}).out));
  CHECK(try_command(world, {"config", "example"}).has("pipelines:\n  orders:\n"));
  CHECK(try_command(world, {"config", "reference"}).has("## `pipelines.<name>.sink` with `type: memory`"));
  CHECK(try_command(world, {"version"}).has("sources: slot and poll\nsinks: memory and partner\n"));
}

TEST_CASE("an unknown pipeline is a usage error") {
  const ConfigFile file(kOrders);
  const auto said = try_command(std::make_shared<World>(), {"drain", "-c", file.path(), "--pipeline", "ordres"});
  CHECK(said.code == ExitCode::usage);
  CHECK(said.has("did you mean orders?"));
}

TEST_CASE("a service with JSON logs reports its configuration as JSON") {
  const ConfigFile file("pipelines: 1\n");
  const auto said = try_command(std::make_shared<World>(), {"run", "-c", file.path(), "--log-format", "json"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.err.empty());
  CHECK(nlohmann::json::parse(said.log.substr(0, said.log.find('\n')))["event"] == "config_invalid");
}

TEST_CASE("doctor prints what the connectors found and exits accordingly") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->source_findings = {{Severity::ok, "", "database", "fine", ""}};
  CHECK(try_command(world, {"doctor", "-c", file.path()}).code == ExitCode::ok);
  world->sink_findings = {{Severity::error, "broker_unreachable", "broker", "nobody there", "start it"}};
  const auto said = try_command(world, {"doctor", "-c", file.path()});
  CHECK(said.code == ExitCode::try_again);
  CHECK(said.has("    error    nobody there [broker_unreachable]\n               start it\n"));
  const auto json = nlohmann::json::parse(try_command(world, {"doctor", "-c", file.path(), "-o", "json"}).out);
  CHECK(json["pipelines"][0]["findings"].size() == 2);
}

TEST_CASE("drain delivers what is committed in every pipeline and exits with 0") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kTwo);
  const auto said = try_command(world, {"drain", "-c", file.path()});
  CHECK_MESSAGE(said.code == ExitCode::ok, said.log);
  CHECK(world->delivered == 200);
  CHECK(said.has("\"event\":\"drain_ended\""));
  CHECK(said.has("\"pipelines_drained\":2"));
}

TEST_CASE("drain delivers only the pipeline that was named") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kTwo);
  CHECK(try_command(world, {"drain", "-c", file.path(), "--pipeline", "other"}).code == ExitCode::ok);
  CHECK(world->stored.count("other") == 1);
  CHECK(world->stored.count("orders") == 0);
}

TEST_CASE("a drain that is stopped by its time-out exits with 75") {
  const auto world = std::make_shared<World>();
  world->inspect_error = Error{ErrorKind::transient, "database_unreachable", "nobody there", ""};
  const ConfigFile file(kOrders);
  const auto said = try_command(world, {"drain", "-c", file.path(), "--timeout", "300ms"});
  CHECK(said.code == ExitCode::try_again);
  CHECK(said.has("--timeout 300ms"));
  CHECK(said.has("not everything is delivered"));
}

TEST_CASE("run delivers until SIGTERM and exits with 0") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  const auto signal = signal_when(SIGTERM, [&] { return delivered(world) == 100; });
  const auto said = try_command(world, {"run", "-c", file.path()});
  CHECK_MESSAGE(said.code == ExitCode::ok, said.log);
  CHECK(said.has("\"reason\":\"SIGTERM\""));
}

TEST_CASE("run exits with 78 when every pipeline was refused") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kTwo);
  world->inspect_error = Error{ErrorKind::fatal, "wal_level_not_logical", "wal_level is replica", "set it"};
  const auto said = try_command(world, {"run", "-c", file.path()});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("wal_level_not_logical"));
}

TEST_CASE("a pipeline that cannot be built is refused, or retried when that may help") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->build_error = Error{ErrorKind::fatal, "password_unreadable", "no password", ""};
  CHECK(try_command(world, {"run", "-c", file.path()}).code == ExitCode::configuration);
  world->build_error = Error{ErrorKind::transient, "connection_lost", "gone", ""};
  CHECK(try_command(world, {"drain", "-c", file.path(), "--timeout", "200ms"}).code == ExitCode::try_again);
}

TEST_CASE("slot create makes the slot and stores where it begins") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  const auto said = try_command(world, {"slot", "create", "-c", file.path()});
  CHECK_MESSAGE(said.code == ExitCode::ok, said.err);
  CHECK(said.has("created slot outbox_relay_orders at 0/3E8"));
  CHECK(world->stored.at("orders").state == ProgressState::streaming);
}

TEST_CASE("slot drop says what is lost and drops only after the name was given") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  CHECK(try_command(world, {"slot", "drop", "-c", file.path()}).has("nothing to drop"));
  world->slots["outbox_relay_orders"] = {Lsn{1'050}, false, 0};
  const auto asked = try_command(world, {"slot", "drop", "-c", file.path()});
  CHECK(asked.code == ExitCode::usage);
  CHECK(asked.has("will be lost for pipeline orders"));
  CHECK(asked.has("outbox-relay slot drop -c " + file.path() + " --pipeline orders --confirm orders"));
  CHECK(world->slots.size() == 1);
  CHECK(try_command(world, {"slot", "drop", "-c", file.path(), "--confirm", "other"}).code == ExitCode::usage);
  CHECK(world->slots.size() == 1);
  const auto dropped = try_command(world, {"slot", "drop", "-c", file.path(), "--confirm", "orders"});
  CHECK(dropped.code == ExitCode::ok);
  CHECK(world->slots.empty());
  CHECK(dropped.has("\"event\":\"slot_dropped\""));
}

TEST_CASE("slot drop says the statement for a slot that the source refuses") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->inspect_error = Error{ErrorKind::fatal, "slot_lost", "the slot is lost", ""};
  const auto said = try_command(world, {"slot", "drop", "-c", file.path(), "--confirm", "orders"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("SELECT pg_drop_replication_slot('outbox_relay_orders');"));
}

TEST_CASE("progress show prints what is stored and changes nothing") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kTwo);
  world->stored["orders"] = stored_at(1'020);
  const auto said = try_command(world, {"progress", "show", "-c", file.path()});
  CHECK(said.code == ExitCode::ok);
  CHECK(said.has("pipeline orders\n  state         streaming\n  sequence      5\n"));
  CHECK(said.has("pipeline other\n  nothing is stored yet\n"));
  const auto json =
      nlohmann::json::parse(try_command(world, {"progress", "show", "-c", file.path(), "-o", "json"}).out);
  CHECK(json["pipelines"].size() == 2);
}

TEST_CASE("progress adopt names the loss, asks, and stores the slot's position") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->stored["orders"] = stored_at(1'020);
  world->slots["outbox_relay_orders"] = {Lsn{1'050}, false, 0};
  const auto wrong = try_command(world, {"progress", "adopt", "-c", file.path()}, "order");
  CHECK(wrong.code == ExitCode::usage);
  CHECK(wrong.has("are lost for this pipeline"));
  CHECK(world->stored.at("orders").end_lsn == Lsn{1'020});
  const auto typed = try_command(world, {"progress", "adopt", "-c", file.path()}, "orders");
  CHECK_MESSAGE(typed.code == ExitCode::ok, typed.err);
  CHECK(world->stored.at("orders").end_lsn == Lsn{1'050});
  CHECK(world->stored.at("orders").sequence == 5);
  CHECK(typed.has("\"event\":\"progress_adopt\""));
  CHECK(typed.has("\"level\":\"warn\""));
}

TEST_CASE("progress reset forgets the position and keeps the sequence") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->stored["orders"] = stored_at(1'020);
  const auto said = try_command(world, {"progress", "reset", "-c", file.path(), "--confirm", "orders"});
  CHECK_MESSAGE(said.code == ExitCode::ok, said.err);
  CHECK(world->stored.at("orders").state == ProgressState::reset);
  CHECK(world->stored.at("orders").sequence == 5);
}

TEST_CASE("a command that changes one pipeline wants it named when there are several") {
  const ConfigFile file(kTwo);
  for (const char* word : {"adopt", "reset"}) {
    const auto said = try_command(std::make_shared<World>(), {"progress", word, "-c", file.path()});
    CHECK(said.code == ExitCode::usage);
    CHECK(said.has("add --pipeline orders or other"));
  }
}

TEST_CASE("a refusal of an admin command carries its code and its exit code") {
  const auto world = std::make_shared<World>();
  const ConfigFile file(kOrders);
  world->stored["orders"] = stored_at(1'020);
  const auto said = try_command(world, {"progress", "adopt", "-c", file.path(), "--confirm", "orders"});
  CHECK(said.code == ExitCode::configuration);
  CHECK(said.has("[slot_missing]"));
}
