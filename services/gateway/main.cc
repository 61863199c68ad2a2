// The gateway. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include "common/rpc/server_main.h"
#include "services/gateway/config.h"
#include "services/gateway/gateway.h"

int main(int argc, char** argv) {
  return ip2p::ServerMain(argc, argv, ip2p::gateway::LoadGatewayConfig, ip2p::gateway::Gateway::Start);
}
