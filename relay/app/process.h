// What is set up once for the process before anything else runs.
#pragma once

namespace relay::app {

// Memory limits of the allocator, SIGPIPE, and messages with exit code 70 for what only a bug can cause: a crash signal
// or an uncaught exception. Call first in main(), before any thread exists.
void prepare_process() noexcept;

}  // namespace relay::app
