// See trainer.h.
#include "common/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/training/lr_schedule.h"
#include "common/training/step_random.h"

namespace ip2p {
namespace {

constexpr char kExpAvg[] = "exp_avg.";
constexpr char kExpAvgSq[] = "exp_avg_sq.";
constexpr char kExpAvgScale[] = "exp_avg_scale.";
constexpr char kExpAvgSqScale[] = "exp_avg_sq_scale.";

// A sum of several backward passes wants float32.
std::vector<LearnedParameter> ParametersOf(Objective& objective, const TrainConfig& config) {
  std::vector<LearnedParameter> parameters = objective.Parameters();
  for (LearnedParameter& parameter : parameters) parameter.shadowed &= config.accumulation == 1;
  return parameters;
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, std::unique_ptr<Objective> objective, RankGroup* group)
    : config_(config),
      objective_(std::move(objective)),
      group_(group),
      parameters_(ParametersOf(*objective_, config)),
      optimizer_(NewOptimizerState(parameters_, config.optimizer == TrainOptimizer::kAdamW8Bit,
                                   config.ema_decay > 0)) {
  if (group != nullptr && group->world_size() > 1)
    exchange_ = std::make_unique<GradientExchange>(parameters_, *group);
  state_.seed = config.seed;
  state_.objective = ObjectiveName(config.objective);
  state_.config_digest = TrainConfigDigest(config);
}

BatchShare Trainer::share() const {
  return {.batch_size = config_.batch_size,
          .accumulation = config_.accumulation,
          .rank = group_ == nullptr ? 0 : group_->rank(),
          .world_size = group_ == nullptr ? 1 : group_->world_size()};
}

void Trainer::Mean(torch::Tensor& value) {
  if (!exchange_) return;
  group_->StartSum(value)->Wait();
  value.div_(group_->world_size());
}

absl::StatusOr<StepResult> Trainer::Step(const NextRows& next_rows) {
  const BatchShare share = this->share();
  const double learning_rate = LearningRate(config_, state_.step);
  parameters_.ZeroGradients();
  torch::Tensor loss = torch::zeros({1}, parameters_.weights().options());

  for (int part = 0; part < share.accumulation; ++part) {
    // 1. This rank's rows, each with the seed of its place in the whole batch.
    IP2P_ASSIGN_OR_RETURN(const std::vector<Example> examples, next_rows());
    std::vector<uint64_t> seeds;
    for (int row = 0; row < share.rows(); ++row)
      seeds.push_back(SampleSeed(config_.seed, state_.step, share.PlaceOf(part, row)));
    const TrainBatch batch = objective_->MakeBatch(examples, std::move(seeds));

    // 2. Loss and gradients; those of the parts add up. The exchange with other ranks begins in the last.
    const torch::Tensor part_loss = objective_->Loss(batch) / share.accumulation;
    if (exchange_ && part + 1 == share.accumulation) exchange_->Arm();
    part_loss.backward();
    loss += part_loss.detach();
  }

  // 3. Mean over ranks. Gradients stay sums; their factor goes into the update.
  if (exchange_) exchange_->Finish();
  Mean(loss);
  const double gradient_mean = 1.0 / share.world_size;

  // 4. The gradient's norm; a step that is not finite is left out, on every rank alike.
  const double norm = gradient_mean * GradientNorm(parameters_);
  StepResult result{.loss = loss.item<double>(), .learning_rate = learning_rate, .grad_norm = norm};
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(norm);
  result.step = ++state_.step;
  state_.loss = result.loss;
  if (result.skipped) {
    ++state_.skipped;
    if (++state_.not_finite_in_row < kMaxNotFinite) return result;
    return absl::FailedPreconditionError(absl::StrCat(
        "the loss or its gradient was not finite in ", kMaxNotFinite, " steps in a row, up to step ",
        state_.step, "; a smaller learning rate or max_grad_norm may help"));
  }
  state_.not_finite_in_row = 0;

  // 5. Clipping, as torch's clip_grad_norm_; AdamW; average.
  double scale = gradient_mean;
  if (config_.max_grad_norm > 0) scale *= std::min(1.0, config_.max_grad_norm / (norm + 1e-6));
  AdamWStep({.beta1 = config_.adam_beta1,
             .beta2 = config_.adam_beta2,
             .epsilon = config_.adam_epsilon,
             .weight_decay = config_.weight_decay},
            learning_rate, scale, config_.ema_decay, parameters_, optimizer_);
  state_.updates = optimizer_.updates;
  objective_->AfterUpdate();
  return result;
}

RunCheckpoint Trainer::Snapshot() const {
  RunCheckpoint checkpoint{.state = state_,
                           .weights = parameters_.ToTensors(parameters_.weights()),
                           .optimizer = parameters_.ToTensors(optimizer_.exp_avg, kExpAvg)};
  checkpoint.optimizer.merge(parameters_.ToTensors(optimizer_.exp_avg_sq, kExpAvgSq));
  if (optimizer_.exp_avg_scale.defined()) {
    checkpoint.optimizer.merge(parameters_.ScalesToTensors(optimizer_.exp_avg_scale, kExpAvgScale));
    checkpoint.optimizer.merge(parameters_.ScalesToTensors(optimizer_.exp_avg_sq_scale, kExpAvgSqScale));
  }
  if (optimizer_.ema.defined()) checkpoint.ema = parameters_.ToTensors(optimizer_.ema);
  return checkpoint;
}

absl::Status Trainer::Restore(const RunCheckpoint& checkpoint) {
  if (checkpoint.state.config_digest != state_.config_digest)
    return absl::FailedPreconditionError(
        "the checkpoint is of a run with other settings; wants those it was started with");
  if (optimizer_.ema.defined() == checkpoint.ema.empty())
    return absl::FailedPreconditionError("the checkpoint keeps an average where this run does not, or not");
  IP2P_RETURN_IF_ERROR(parameters_.FromTensors(checkpoint.weights, parameters_.weights()));
  IP2P_RETURN_IF_ERROR(parameters_.FromTensors(checkpoint.optimizer, optimizer_.exp_avg, kExpAvg));
  IP2P_RETURN_IF_ERROR(parameters_.FromTensors(checkpoint.optimizer, optimizer_.exp_avg_sq, kExpAvgSq));
  if (optimizer_.exp_avg_scale.defined()) {
    IP2P_RETURN_IF_ERROR(
        parameters_.ScalesFromTensors(checkpoint.optimizer, optimizer_.exp_avg_scale, kExpAvgScale));
    IP2P_RETURN_IF_ERROR(
        parameters_.ScalesFromTensors(checkpoint.optimizer, optimizer_.exp_avg_sq_scale, kExpAvgSqScale));
  }
  if (optimizer_.ema.defined()) IP2P_RETURN_IF_ERROR(parameters_.FromTensors(checkpoint.ema, optimizer_.ema));
  parameters_.WriteShadows();
  state_ = checkpoint.state;
  optimizer_.updates = state_.updates;
  return absl::OkStatus();
}

TensorMap Trainer::ExportedWeights() const {
  return parameters_.ToTensors(optimizer_.ema.defined() ? optimizer_.ema : parameters_.weights());
}

Trainer::Averaged::Averaged(Trainer& trainer) : trainer_(trainer) { Exchange(); }
Trainer::Averaged::~Averaged() { Exchange(); }

void Trainer::Averaged::Exchange() {
  torch::Tensor& average = trainer_.optimizer_.ema;
  if (!average.defined()) return;
  const torch::NoGradGuard no_grad;
  torch::Tensor& weights = trainer_.parameters_.weights();
  constexpr int64_t kPiece = int64_t{1} << 22;  // elements: little memory beside the two
  for (int64_t at = 0; at < weights.numel(); at += kPiece) {
    const int64_t count = std::min(kPiece, weights.numel() - at);
    torch::Tensor a = weights.narrow(0, at, count), b = average.narrow(0, at, count);
    const torch::Tensor kept = a.clone();
    a.copy_(b);
    b.copy_(kept);
  }
  trainer_.parameters_.WriteShadows();
}

}  // namespace ip2p
