// What every server's main does: settings, start, the ready line on stdout, serve until SIGTERM or SIGINT,
// drain.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/signals.h"

namespace ip2p {

// Call it first thing in main. `load` is the service's LoadServerConfig; `start` makes a server from the
// config, as StatusOr of a pointer; `finish_start` is what is left to do before it is ready. Gives the exit
// code: 0 stopped by a signal, 1 it could not start, 2 bad settings. A second signal ends the process with 1.
template <typename Load, typename Start, typename FinishStart>
int ServerMain(int argc, char** argv, const Load& load, const Start& start, const FinishStart& finish_start) {
  absl::Notification stop;
  SignalWaiter signals([&stop](int count) {
    if (count > 1) std::_Exit(1);  // asked twice: don't wait for calls
    stop.Notify();
  });

  const std::vector<std::string> args(argv + 1, argv + argc);
  const auto config = load(args, [](const char* name) { return std::getenv(name); });
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  if (!config->has_value()) return 0;

  auto server = start(**config);
  const absl::Status ready = server.ok() ? finish_start(**server) : server.status();
  if (!ready.ok()) {
    Log(LogLevel::kError, "can't start", {{"status", ready.ToString()}});
    return 1;
  }
  std::puts((*server)->ReadyLine().c_str());
  std::fflush(stdout);
  stop.WaitForNotification();
  (*server)->Drain();
  return 0;
}

// The same for a server that is ready when it is made.
template <typename Load, typename Start>
int ServerMain(int argc, char** argv, const Load& load, const Start& start) {
  return ServerMain(argc, argv, load, start, [](auto&) { return absl::OkStatus(); });
}

}  // namespace ip2p
