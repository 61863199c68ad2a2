// AdamW (Loshchilov and Hutter, arXiv 1711.05101) as torch.optim.AdamW computes it, and the average of the
// weights as the reference's LitEma keeps it, over the flat buffers of a ParameterSet: on the CPU one pass
// over memory for both, and for what modules hold of the weights in bf16. One thread.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "common/training/parameter_set.h"

namespace ip2p {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

// Buffers of the layout of ParameterSet's weights.
struct OptimizerState {
  torch::Tensor exp_avg;                          // first moment: float32, or uint8 codes (moments8.h)
  torch::Tensor exp_avg_sq;                       // second moment
  torch::Tensor exp_avg_scale, exp_avg_sq_scale;  // of codes, float32, one a block
  torch::Tensor ema;                              // averaged weights; undefined: none are kept
  int64_t updates = 0;                            // so far
};

// Decay of the average at its n-th update, n from 1: the reference's warm-up, min(decay, (1 + n) / (10 + n)).
double EmaDecay(double decay, int64_t n);

// Nothing moved yet. 8 bits are kept on the CPU only: throws elsewhere.
OptimizerState NewOptimizerState(const ParameterSet& parameters, bool moments_in_8_bits, bool averages);

// The norm of all gradients. On the CPU it does not depend on the number of threads.
double GradientNorm(ParameterSet& parameters);

// One update. Gradients are taken `gradient_scale` times (clipping). Counts it in state.updates.
void AdamWStep(const AdamWOptions& options, double learning_rate, double gradient_scale, double ema_decay,
               ParameterSet& parameters, OptimizerState& state);

}  // namespace ip2p
