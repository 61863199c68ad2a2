// The ranks of a run as they speak to each other: c10d over a TCP store, Gloo between CPUs.
//
// Every rank makes the same calls in the same order. One thread. A lost peer shows as UNAVAILABLE from any
// call within the timeout.
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

class RankGroup {
 public:
  // An exchange that runs beside the caller.
  class Pending {
   public:
    virtual ~Pending() = default;
    virtual void Wait() = 0;  // throws when it failed
  };

  // `store` is rank 0's own; other ranks connect to address.
  static absl::StatusOr<std::unique_ptr<RankGroup>> Create(int rank, int world_size,
                                                           const RendezvousAddress& address,
                                                           const Rendezvous* store, absl::Duration timeout);
  virtual ~RankGroup() = default;

  virtual int rank() const = 0;
  virtual int world_size() const = 0;
  // Sums in place over all ranks. Throws when a peer is lost.
  virtual std::unique_ptr<Pending> StartSum(torch::Tensor& tensor) = 0;
};

}  // namespace ip2p
