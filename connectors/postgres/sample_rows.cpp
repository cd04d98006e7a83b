#include "connectors/postgres/sample_rows.h"

#include <poll.h>

#include "connectors/postgres/snapshot_reader.h"
#include "connectors/postgres/snapshot_reader_connection.h"

namespace relay::connectors::postgres {
namespace {

constexpr int kPatienceMs = 20'000;

bool wait_for_rows(const SnapshotReader& reader) {
  pollfd waiting{reader.socket(), static_cast<short>(reader.wants_write() ? POLLIN | POLLOUT : POLLIN), 0};
  return ::poll(&waiting, 1, kPatienceMs) > 0;
}

}  // namespace

// The initial read takes over a snapshot; here that of an ordinary session.
Result<void> sample_rows(const SlotSourceConfig& config, std::size_t most, Batch& out) {
  if (config.table_patterns().empty())
    return fail(ErrorKind::fatal, "sample_without_tables",
                "reading sample rows for pipeline " + config.pipeline + ": its source reads no tables",
                "give events in a file instead: --file EVENTS.jsonl");
  RELAY_ASSIGN(const auto session, SnapshotConnection::connect(config.connection));
  RELAY_TRY(session->run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin reading sample rows"));
  RELAY_ASSIGN(const auto exported,
               session->run("SELECT pg_catalog.pg_export_snapshot()", "begin reading sample rows"));
  RELAY_ASSIGN(const auto reader, SnapshotReader::lock_tables(config));
  RELAY_TRY(reader->import(exported.front()[0].value_or(""), Lsn{1}));
  while (out.events().size() < most) {
    RELAY_ASSIGN(const auto read, reader->read(out));
    if (read == SnapshotReader::Read::finished || out.full()) break;
    if (read == SnapshotReader::Read::would_block && !wait_for_rows(*reader))
      return fail(ErrorKind::transient, "connection_lost", "reading sample rows: the server did not answer for 20 s");
  }
  if (out.events().size() > most) out.events().resize(most);
  return {};
}

}  // namespace relay::connectors::postgres
