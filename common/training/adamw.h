// AdamW (Loshchilov and Hutter, arXiv 1711.05101) as torch.optim.AdamW computes it, and the average of the
// weights as the reference's LitEma keeps it, over the flat buffers of a ParameterSet: on the CPU one pass
// over memory for both. One thread.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace ip2p {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

struct OptimizerState {
  torch::Tensor exp_avg;     // first moment
  torch::Tensor exp_avg_sq;  // second moment
  torch::Tensor ema;         // averaged weights; undefined: none are kept
  int64_t updates = 0;       // so far
};

// Decay of the average at its n-th update, n from 1: the reference's warm-up, min(decay, (1 + n) / (10 + n)).
double EmaDecay(double decay, int64_t n);

// One update. Gradients are taken `gradient_scale` times (clipping). Counts it in state.updates.
void AdamWStep(const AdamWOptions& options, double learning_rate, double gradient_scale, double ema_decay,
               torch::Tensor& weights, const torch::Tensor& gradients, OptimizerState& state);

}  // namespace ip2p
