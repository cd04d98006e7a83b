#include "relay/app/commands.h"
#include "relay/app/process.h"

int main(int argc, char** argv) {
  relay::app::prepare_process();
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return to_int(relay::app::run_program(arguments, relay::connectors::catalog()));
}
