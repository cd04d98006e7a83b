// The sinks `file` and `stdout`: names, fields, checks, and how they are built.
#include "connectors/component.h"

#include <unistd.h>

#include "connectors/file/doctor.h"
#include "connectors/file/file_sink.h"
#include "connectors/file/stdout_sink.h"

namespace relay::connectors::file {
namespace {

// Neither sink has a topic; rejected events can go to the database's table.
void refuse_dead_letter_topic(const config::Value& part, const config::Value& pipeline, config::Diagnostics& out) {
  const auto& on_reject = pipeline["on_reject"];
  if (!on_reject.is_map() || !on_reject["dead_letter"].is_map()) return;
  const auto& topic = on_reject["dead_letter"]["topic"];
  if (!topic) return;
  out.push_back({topic.mark(), "on_reject.dead_letter.topic",
                 "the sink " + part["type"].as_string() + " has no topics, so there is no dead letter topic either",
                 "write on_reject: halt, or on_reject: {dead_letter: {table: true}}"});
}

SinkSpec file_spec() {
  SinkSpec spec;
  spec.name = "file";
  spec.summary = "JSON lines in a file, each event exactly once.";
  spec.stores_progress = true;
  spec.fields = {config::path("path",
                              "The file; its directory exists. Beside it, the relay keeps <path>.progress and "
                              "<path>.lock. Relative to the configuration file.")
                     .require()
                     .for_example("/var/lib/outbox-relay/orders.jsonl")};
  spec.validate = refuse_dead_letter_topic;
  spec.build = [](const BuildContext& context) -> Result<std::unique_ptr<Sink>> {
    const auto& path = context.pipeline_config["sink"]["path"].as_string();
    return std::make_unique<FileSink>(context.pipeline, path, context.clock, context.log);
  };
  spec.doctor = [](const BuildContext& context) {
    return file_findings(context.pipeline, context.pipeline_config["sink"]["path"].as_string());
  };
  return spec;
}

SinkSpec stdout_spec() {
  SinkSpec spec;
  spec.name = "stdout";
  spec.summary = "JSON lines on standard output, each event at least once; logs go to standard error.";
  spec.validate = refuse_dead_letter_topic;
  spec.build = [](const BuildContext& context) -> Result<std::unique_ptr<Sink>> {
    return std::make_unique<StdoutSink>(STDOUT_FILENO, context.clock);
  };
  spec.doctor = [](const BuildContext&) { return stdout_findings(); };
  return spec;
}

}  // namespace

Component component() {
  Component all;
  all.name = "file";
  all.sinks = {file_spec(), stdout_spec()};
  return all;
}

}  // namespace relay::connectors::file
