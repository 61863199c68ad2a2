// The pair generator. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include "common/rpc/server_main.h"
#include "services/pair_generator/config.h"
#include "services/pair_generator/pair_server.h"

namespace pair_generator = ip2p::pair_generator;

int main(int argc, char** argv) {
  return ip2p::ServerMain(
      argc, argv, pair_generator::LoadServerConfig,
      [](const pair_generator::ServerConfig& config) {
        return pair_generator::PairServer::Start(config, pair_generator::TorchSamplers(config));
      },
      [](pair_generator::PairServer& server) { return server.LoadModels(); });
}
