// The training coordinator. Exit codes: 0 stopped by SIGTERM or SIGINT (workers run on), 1 it could not start
// or must start again, 2 bad settings.
#include <cstdlib>

#include "common/rpc/server_main.h"
#include "services/training_coordinator/config.h"
#include "services/training_coordinator/training_server.h"

namespace coordinator = ip2p::training_coordinator;

int main(int argc, char** argv) {
  return ip2p::ServerMain(argc, argv, coordinator::LoadServerConfig,
                          [](const coordinator::ServerConfig& config) {
                            return coordinator::StartRealServer(config, [] { std::_Exit(1); });
                          });
}
