// Owners of libpq's objects. For .cpp files of this folder only.
#pragma once

#include <libpq-fe.h>

#include <memory>

namespace relay::connectors::postgres {

struct FinishConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using PqConnection = std::unique_ptr<PGconn, FinishConnection>;

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using PqResult = std::unique_ptr<PGresult, ClearResult>;

struct FreeMemory {
  void operator()(char* memory) const noexcept { PQfreemem(memory); }
};
using PqBuffer = std::unique_ptr<char, FreeMemory>;

}  // namespace relay::connectors::postgres
