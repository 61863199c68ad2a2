// The edit server. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include "common/rpc/server_main.h"
#include "services/edit_server/config.h"
#include "services/edit_server/edit_server.h"

namespace edit_server = ip2p::edit_server;

int main(int argc, char** argv) {
  return ip2p::ServerMain(
      argc, argv, edit_server::LoadServerConfig,
      [](const edit_server::ServerConfig& config) {
        return edit_server::EditServer::Start(config, edit_server::TorchEngines(config));
      },
      [](edit_server::EditServer& server) { return server.LoadModels(); });
}
