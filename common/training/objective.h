// What a network learns: a batch of examples to one number to be made small.
//
// One thread; torch's exceptions pass through (the trainer stands at the wall). An objective owns the
// networks it learns and the frozen ones it needs.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/training/augment.h"
#include "common/training/example.h"
#include "common/training/example_source.h"
#include "common/training/parameter_set.h"
#include "common/training/train_config.h"
#include "common/training/train_start.h"

namespace ip2p {

// A part of a step's batch on the objective's device. Which tensors are there is the objective's affair.
struct TrainBatch {
  std::vector<uint64_t> seeds;  // SampleSeed of each row
  torch::Tensor before;         // [N,3,R,R] float32 in -1..1
  torch::Tensor after;          // the same; of single pictures the picture
  torch::Tensor ids;            // [N,L] int64, tokens of the instruction or caption
  // In the place of pictures and ids, what frozen networks make of them.
  torch::Tensor moments;    // [N,2C,h,w] float32, of the autoencoder's posterior of `after`
  torch::Tensor condition;  // [N,C,h,w], the mode of that of `before`, unscaled
  torch::Tensor text;       // [N,L,d]
};

class Objective {
 public:
  virtual ~Objective() = default;

  // What learns, with the network's name before each: "unet.conv_in.weight". Float32.
  virtual std::vector<LearnedParameter> Parameters() = 0;
  virtual TrainBatch MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) = 0;
  // Does what the frozen networks do for the batch, now: Loss needs none of them then.
  virtual void Prepare(TrainBatch& /*batch*/) {}
  // Mean over the batch, a float32 scalar with a gradient; what is random in it follows from batch.seeds.
  virtual torch::Tensor Loss(const TrainBatch& batch) = 0;
  // Encodes every example of `source` once, into a file without a name in `folder`, and lets the frozen
  // networks go: from then on MakeBatch wants examples that the cache has. `go_on` is told how many are done,
  // often: CANCELLED once it answers no. FAILED_PRECONDITION when over 0.1 % are damaged; UNAVAILABLE,
  // RESOURCE_EXHAUSTED: the disk.
  using GoOn = std::function<bool(int64_t examples)>;
  virtual absl::Status Cache(const ExampleSource& /*source*/, const AugmentConfig& /*augment*/,
                             const std::string& /*folder*/, const GoOn& /*go_on*/) {
    return absl::FailedPreconditionError("this objective has nothing to cache");
  }
  virtual bool InCache(int64_t /*index*/, int64_t /*choice*/) const { return false; }
  // Puts what the network has learned of its own config there, by a batch of training examples: for an export
  // of a run with fresh weights.
  virtual void AdjustConfig(const TrainBatch& /*sample*/, ModelConfig& /*config*/) {}
  // After each update of the weights: keeps what must stay in bounds.
  virtual void AfterUpdate() {}
};

struct ObjectiveOptions {
  torch::Device device = torch::kCPU;
  bool bf16 = false;       // forward and backward pass under autocast; frozen networks in bf16
  bool recompute = false;  // gradient checkpointing (common/model/recompute.h)

  // What autocast would convert every step is kept in bf16 beside the weights (parameter_set.h).
  bool shadows() const { return bf16 && device.is_cpu(); }
};

absl::StatusOr<std::unique_ptr<Objective>> CreateObjective(const TrainConfig& config, const TrainStart& start,
                                                           const ObjectiveOptions& options);

}  // namespace ip2p
