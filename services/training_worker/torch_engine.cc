// The engine of real workers.
#include "services/training_worker/worker.h"

namespace ip2p::training_worker {

Engine TorchEngine() {
  return {.run = RunTraining, .rendezvous = [](int port) { return Rendezvous::Create(port); }};
}

}  // namespace ip2p::training_worker
