// What a connector brings into the program: sources, sinks and stores, each with its name, its configuration fields, a
// pure check and a way to build it. One folder each; the catalog is generated from the relay_connectors(...) line in
// CMake, so that adding a connector touches its folder and that line only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/result.h"
#include "relay/config/diagnostic.h"
#include "relay/config/field.h"
#include "relay/config/value.h"
#include "relay/migrate/database.h"
#include "relay/model/finding.h"
#include "relay/pipeline/sink.h"
#include "relay/pipeline/source.h"
#include "relay/pipeline/stores.h"

namespace relay::connectors {

// Everything a part of one pipeline is built from. The references outlive the part.
struct BuildContext {
  std::string pipeline;            // its name, [a-z0-9_]{1,40}
  const config::Value& pipeline_config;  // pipelines.<name>
  const config::Value& database;   // the root's `database`
  Logger log;                      // bound to the pipeline
  Clock& clock;
  bool progress_in_database = false;  // the sink stores none
};

using Validate = std::function<void(const config::Value& part, const config::Value& pipeline, config::Diagnostics& out)>;

struct SourceSpec {
  std::string name;     // value of source.type
  std::string summary;  // a sentence
  std::vector<config::FieldSpec> fields;
  Validate validate;    // pure: no files, network, threads
  std::function<Result<std::unique_ptr<Source>>(const BuildContext&)> build;
  // What this source needs, asked of the real server; connection failures are findings too. Changes nothing.
  std::function<Findings(const BuildContext&)> doctor;
  // Some of what it would deliver, as events, for `policy preview`; at most so many. Changes nothing.
  std::function<Result<void>(const BuildContext&, std::size_t most, Batch& out)> sample;
};

struct SinkSpec {
  std::string name;     // value of sink.type
  std::string summary;
  bool outside_boundary = false;  // needs a written policy (eventbridge, webhook)
  bool stores_progress = false;   // as Sink::stores_progress()
  std::vector<config::FieldSpec> fields;
  Validate validate;
  std::function<Result<std::unique_ptr<Sink>>(const BuildContext&)> build;
  std::function<Findings(const BuildContext&)> doctor;
};

struct Component {
  std::string name;  // of the folder
  std::vector<SourceSpec> sources;
  std::vector<SinkSpec> sinks;
  // The database's stores; at most one component brings them.
  std::function<Result<std::unique_ptr<ProgressStore>>(const BuildContext&)> progress_store;
  std::function<Result<std::unique_ptr<DeadLetterStore>>(const BuildContext&)> dead_letter_store;
  // A connection for `migrate`, from the root's `database`; from the component that has the stores.
  std::function<Result<std::unique_ptr<migrate::Database>>(const config::Value& database)> migration_database;
};

// Generated: every connector of this build.
const std::vector<Component>& catalog();

}  // namespace relay::connectors
