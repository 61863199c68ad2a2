// The pair generator. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 it could not start, 2 bad settings.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/signals.h"
#include "services/pair_generator/config.h"
#include "services/pair_generator/pair_server.h"

namespace pair_generator = ip2p::pair_generator;

int main(int argc, char** argv) {
  absl::Notification stop;
  ip2p::SignalWaiter signals([&stop](int count) {
    if (count > 1) std::_Exit(1);  // asked twice: don't wait for pairs
    stop.Notify();
  });

  const auto config = pair_generator::LoadServerConfig({argv + 1, argv + argc},
                                                       [](const char* name) { return std::getenv(name); });
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  if (!config->has_value()) return 0;

  auto server = pair_generator::PairServer::Start(**config, pair_generator::TorchSamplers(**config));
  const absl::Status ready = server.ok() ? (*server)->LoadModels() : server.status();
  if (!ready.ok()) {
    ip2p::Log(ip2p::LogLevel::kError, "can't start", {{"status", ready.ToString()}});
    return 1;
  }
  std::puts((*server)->ReadyLine().c_str());
  std::fflush(stdout);
  stop.WaitForNotification();
  (*server)->Drain();
  return 0;
}
