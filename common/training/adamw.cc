// See adamw.h.
#include "common/training/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace ip2p {
namespace {

constexpr int64_t kGrain = 1 << 15;  // elements a thread takes at least

// Every factor of one update, rounded as torch rounds its scalars.
struct Factors {
  float gradient_scale;
  float keep;        // 1 - lr * weight_decay
  float beta1_rest;  // 1 - beta1
  float beta2, beta2_rest;
  float step_size;        // lr / (1 - beta1^t)
  float root_correction;  // sqrt(1 - beta2^t)
  float epsilon;
  float ema_rest;  // 1 - decay
};

struct Pointers {
  float* weights;
  const float* gradients;
  float* exp_avg;
  float* exp_avg_sq;
  float* ema;  // null: none
};

// Without errno, or the square roots are taken one by one.
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("no-math-errno")))
#endif
void UpdateRange(const Factors& f, const Pointers& p, int64_t begin, int64_t end) {
  float* __restrict w = p.weights;
  const float* __restrict g = p.gradients;
  float* __restrict m = p.exp_avg;
  float* __restrict v = p.exp_avg_sq;
  for (int64_t i = begin; i < end; ++i) {
    const float gradient = g[i] * f.gradient_scale;
    m[i] += f.beta1_rest * (gradient - m[i]);
    v[i] = v[i] * f.beta2 + f.beta2_rest * gradient * gradient;
    w[i] = w[i] * f.keep - f.step_size * (m[i] / (std::sqrt(v[i]) / f.root_correction + f.epsilon));
  }
  if (p.ema == nullptr) return;
  float* __restrict ema = p.ema;
  for (int64_t i = begin; i < end; ++i) ema[i] -= f.ema_rest * (ema[i] - w[i]);
}

void UpdateOnCpu(const Factors& f, const Pointers& p, int64_t count) {
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    constexpr int64_t kCached = 1 << 13;  // elements: the average reads weights that are still in the cache
    for (int64_t at = begin; at < end; at += kCached) UpdateRange(f, p, at, std::min(end, at + kCached));
  });
}

void UpdateAnywhere(const Factors& f, torch::Tensor& weights, const torch::Tensor& gradients,
                    OptimizerState& state) {
  const torch::Tensor gradient = f.gradient_scale == 1 ? gradients : gradients * f.gradient_scale;
  weights.mul_(f.keep);
  state.exp_avg.lerp_(gradient, f.beta1_rest);
  state.exp_avg_sq.mul_(f.beta2).addcmul_(gradient, gradient, f.beta2_rest);
  weights.addcdiv_(state.exp_avg, state.exp_avg_sq.sqrt().div_(f.root_correction).add_(f.epsilon),
                   -f.step_size);
  if (state.ema.defined()) state.ema.lerp_(weights, f.ema_rest);
}

}  // namespace

double EmaDecay(double decay, int64_t n) {
  return std::min(decay, static_cast<double>(1 + n) / static_cast<double>(10 + n));
}

void AdamWStep(const AdamWOptions& o, double learning_rate, double gradient_scale, double ema_decay,
               torch::Tensor& weights, const torch::Tensor& gradients, OptimizerState& state) {
  const torch::NoGradGuard no_grad;
  const auto t = static_cast<double>(++state.updates);
  const Factors f{.gradient_scale = static_cast<float>(gradient_scale),
                  .keep = static_cast<float>(1 - learning_rate * o.weight_decay),
                  .beta1_rest = static_cast<float>(1 - o.beta1),
                  .beta2 = static_cast<float>(o.beta2),
                  .beta2_rest = static_cast<float>(1 - o.beta2),
                  .step_size = static_cast<float>(learning_rate / (1 - std::pow(o.beta1, t))),
                  .root_correction = static_cast<float>(std::sqrt(1 - std::pow(o.beta2, t))),
                  .epsilon = static_cast<float>(o.epsilon),
                  .ema_rest = static_cast<float>(1 - EmaDecay(ema_decay, state.updates))};
  if (!weights.is_cpu()) return UpdateAnywhere(f, weights, gradients, state);
  UpdateOnCpu(f,
              {.weights = weights.mutable_data_ptr<float>(),
               .gradients = gradients.const_data_ptr<float>(),
               .exp_avg = state.exp_avg.mutable_data_ptr<float>(),
               .exp_avg_sq = state.exp_avg_sq.mutable_data_ptr<float>(),
               .ema = state.ema.defined() ? state.ema.mutable_data_ptr<float>() : nullptr},
              weights.numel());
}

}  // namespace ip2p
