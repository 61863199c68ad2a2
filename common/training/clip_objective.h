// CLIP's contrastive loss (Radford et al., arXiv 2103.00020, figure 3): each picture finds its caption among
// those of the batch, and each caption its picture. One thread.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/model/clip/clip.h"
#include "common/training/objective.h"

namespace ip2p {

class ClipObjective : public Objective {
 public:
  static absl::StatusOr<std::unique_ptr<ClipObjective>> Create(const ClipSource& source,
                                                               const ObjectiveOptions& options);

  std::vector<LearnedParameter> Parameters() override;
  TrainBatch MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) override;
  // Over the batch that it is given: with accumulation, or on several ranks, over a part of the step's batch.
  torch::Tensor Loss(const TrainBatch& batch) override;
  // Keeps the learned scale at most 100, as the paper does.
  void AfterUpdate() override;

 private:
  ClipObjective(const ClipSource& source, const ObjectiveOptions& options);

  const ClipConfig config_;
  const ObjectiveOptions options_;
  torch::Tensor mean_, spread_;  // [1,3,1,1]
  Clip clip_{nullptr};
  torch::Tensor logit_scale_;  // the network's own
  std::unique_ptr<const Tokenizer> tokenizer_;
};

}  // namespace ip2p
