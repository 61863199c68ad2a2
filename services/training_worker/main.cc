// One rank of a training run. Exit codes: 0 done, 3 stopped as ordered, 42 bad settings or another try would
// end alike, others: another try may go on from the last checkpoint.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/signals.h"
#include "services/training_worker/config.h"
#include "services/training_worker/worker.h"

namespace training_worker = ip2p::training_worker;

int main(int argc, char** argv) {
  std::atomic<bool> stop = false;
  ip2p::SignalWaiter signals([&stop](int count) {
    if (count > 1) std::_Exit(training_worker::kRetryable);  // asked twice: don't wait for the step
    stop = true;
  });
  const auto config = training_worker::LoadWorkerConfig({argv + 1, argv + argc},
                                                        [](const char* name) { return std::getenv(name); });
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return training_worker::kFatal;
  }
  if (!config->has_value()) return 0;
  return training_worker::RunWorker(**config, training_worker::TorchEngine(),
                                    [&stop] { return stop.load(); });
}
