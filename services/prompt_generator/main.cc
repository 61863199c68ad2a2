// The prompt generator. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include "common/rpc/server_main.h"
#include "services/prompt_generator/config.h"
#include "services/prompt_generator/prompt_server.h"

namespace prompt_generator = ip2p::prompt_generator;

int main(int argc, char** argv) {
  return ip2p::ServerMain(argc, argv, prompt_generator::LoadServerConfig,
                          [](const prompt_generator::ServerConfig& config) {
                            return prompt_generator::PromptServer::Start(config);
                          });
}
