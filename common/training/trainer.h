// The training step, and the state it moves: weights, moments, average, counters.
//
// One thread. Throws what torch throws (a lost peer among it); run_training.h is the wall.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/training/adamw.h"
#include "common/training/example.h"
#include "common/training/example_loader.h"
#include "common/training/gradient_exchange.h"
#include "common/training/objective.h"
#include "common/training/parameter_set.h"
#include "common/training/rank_group.h"
#include "common/training/run_checkpoint.h"
#include "common/training/run_types.h"
#include "common/training/train_config.h"

namespace ip2p {

// A run gives up after this many steps in a row without a finite loss and gradient.
constexpr int kMaxNotFinite = 10;

class Trainer {
 public:
  // The rows of this rank for a part of a step; called once a part, in order.
  using NextRows = std::function<absl::StatusOr<std::vector<Example>>()>;

  // `group` may be null: one rank. It outlives the trainer.
  Trainer(const TrainConfig& config, std::unique_ptr<Objective> objective, RankGroup* group);

  // FAILED_PRECONDITION when kMaxNotFinite steps in a row were not finite; the errors of `rows`.
  absl::StatusOr<StepResult> Step(const NextRows& rows);

  int64_t step() const { return state_.step; }  // finished
  const RunState& state() const { return state_; }
  Objective& objective() { return *objective_; }
  ParameterSet& parameters() { return parameters_; }
  BatchShare share() const;

  // Copies. What SaveRunCheckpoint takes, and back: FAILED_PRECONDITION when it is of another run's settings
  // or network.
  RunCheckpoint Snapshot() const;
  absl::Status Restore(const RunCheckpoint& checkpoint);
  // The averaged weights where they are kept, else the weights.
  TensorMap ExportedWeights() const;

  // Puts the averaged weights in the place of the weights while it lives, and these in theirs. No Step,
  // Snapshot or ExportedWeights meanwhile.
  class Averaged {
   public:
    explicit Averaged(Trainer& trainer);
    ~Averaged();
    Averaged(const Averaged&) = delete;
    Averaged& operator=(const Averaged&) = delete;

   private:
    void Exchange();

    Trainer& trainer_;
  };

 private:
  void Mean(torch::Tensor& value);  // over ranks

  const TrainConfig config_;
  const std::unique_ptr<Objective> objective_;
  RankGroup* const group_;
  ParameterSet parameters_;
  OptimizerState optimizer_;
  std::unique_ptr<GradientExchange> exchange_;  // null: one rank
  RunState state_;
};

}  // namespace ip2p
