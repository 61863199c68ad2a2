// The ranks of a run as they speak to each other: c10d over a TCP store; Gloo between CPUs, NCCL between GPUs
// where LibTorch has it (else Gloo, by way of the CPU).
//
// Every rank makes the same calls in the same order. One thread. A rank whose process ends shows at once as a
// failure of whatever waits for it, one that falls silent after the peer timeout.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/training/rendezvous.h"

namespace ip2p {

struct RankTimeouts {
  absl::Duration join = absl::Minutes(10);  // for all ranks to come
  // For one that is there: more than what a rank does while others wait (a checkpoint, a validation).
  absl::Duration peer = absl::Minutes(30);
};

class RankGroup {
 public:
  // An exchange that runs beside the caller.
  class Pending {
   public:
    virtual ~Pending() = default;
    virtual void Wait() = 0;  // throws when it failed
  };

  // `store` is rank 0's own; other ranks connect to address. `device`: of the tensors that are summed.
  // UNAVAILABLE when the others do not come.
  static absl::StatusOr<std::unique_ptr<RankGroup>> Create(int rank, int world_size,
                                                           const RendezvousAddress& address,
                                                           const Rendezvous* store, torch::Device device,
                                                           const RankTimeouts& timeouts);
  virtual ~RankGroup() = default;

  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // Sums in place over all ranks. Throws when a peer is lost.
  virtual std::unique_ptr<Pending> StartSum(torch::Tensor& tensor) = 0;
};

}  // namespace ip2p
