#include "relay/app/admin.h"

#include "relay/app/build.h"

namespace relay::app {

ExitCode with_parts(const Session& session, const Configuration& configuration, const PipelineConfig& pipeline,
                    const std::function<Result<ExitCode>(const AdminParts&)>& work) {
  const auto log = session.log().with({"pipeline", pipeline.name});
  auto parts = build_parts(configuration, pipeline, session.catalog, log);
  if (!parts) return report(session, parts.error());
  const auto code = work({*parts->source, *parts->sink, parts->progress_store.get(), pipeline.name, log});
  return code ? *code : report(session, code.error());
}

}  // namespace relay::app
