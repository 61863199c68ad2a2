// Gradients summed over ranks while the backward pass still runs: the flat buffers in buckets, each exchanged
// as soon as all of its parameters have their gradients. One thread.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/training/parameter_set.h"
#include "common/training/rank_group.h"

namespace ip2p {

class GradientExchange {
 public:
  // Hooks itself onto the parameters, for their lifetime; must outlive every backward pass. `group` outlives
  // it.
  GradientExchange(ParameterSet& parameters, RankGroup& group, int64_t bucket_bytes = int64_t{8} << 20);
  GradientExchange(const GradientExchange&) = delete;
  GradientExchange& operator=(const GradientExchange&) = delete;
  ~GradientExchange();

  // Before the step's last backward pass: from now on gradients that arrive are final.
  void Arm();
  // After it: exchanges what is left, waits for all. Throws when a peer is lost.
  void Finish();

 private:
  struct Bucket {
    std::vector<torch::Tensor> parts;  // of the buffers of gradients: one, or one of each type
    int parameters = 0;
    int missing = 0;  // without a gradient yet, of this pass
  };
  class Hook;

  void OnGradient(size_t bucket);
  void Launch();  // every bucket in its turn that is complete, so that all ranks have one order

  ParameterSet& parameters_;
  RankGroup& group_;
  std::vector<Bucket> buckets_;  // from the last parameters: backward goes from the last layer
  size_t next_ = 0;              // to be launched
  bool armed_ = false;
  std::vector<std::unique_ptr<RankGroup::Pending>> pending_;
};

}  // namespace ip2p
