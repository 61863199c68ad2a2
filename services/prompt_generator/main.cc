// The prompt generator. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "services/prompt_generator/config.h"
#include "services/prompt_generator/prompt_server.h"

namespace prompt_generator = ip2p::prompt_generator;

int main(int argc, char** argv) {
  absl::Notification stop;
  ip2p::SignalWaiter signals([&stop](int count) {
    if (count > 1) std::_Exit(1);  // asked twice: don't wait for answers
    stop.Notify();
  });

  const auto config = prompt_generator::LoadServerConfig({argv + 1, argv + argc},
                                                         [](const char* name) { return std::getenv(name); });
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  if (!config->has_value()) return 0;

  auto server = prompt_generator::PromptServer::Start(**config);
  if (!server.ok()) {
    ip2p::Log(ip2p::LogLevel::kError, "can't start", {{"status", server.status().ToString()}});
    return 1;
  }
  std::puts((*server)->ReadyLine().c_str());
  std::fflush(stdout);
  stop.WaitForNotification();
  (*server)->Drain();
  return 0;
}
