// The training coordinator. Exit codes: 0 stopped by SIGTERM or SIGINT (workers run on), 1 it could not start
// or must start again, 2 bad settings.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "services/training_coordinator/config.h"
#include "services/training_coordinator/training_server.h"

namespace coordinator = ip2p::training_coordinator;

int main(int argc, char** argv) {
  absl::Notification stop;
  ip2p::SignalWaiter signals([&stop](int count) {
    if (count > 1) std::_Exit(1);  // asked twice: don't wait for calls
    stop.Notify();
  });

  const auto config = coordinator::LoadServerConfig({argv + 1, argv + argc},
                                                    [](const char* name) { return std::getenv(name); });
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  if (!config->has_value()) return 0;

  auto server = coordinator::StartRealServer(**config, [] { std::_Exit(1); });
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
