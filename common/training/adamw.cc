// See adamw.h.
#include "common/training/adamw.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/model/kernels/bf16.h"
#include "common/model/kernels/round_rows.h"
#include "common/training/moments8.h"

namespace ip2p {
namespace {

static_assert(ParameterSet::kAlign % kMomentBlock == 0, "a block is of one parameter");

constexpr int64_t kGrain = 1 << 15;  // elements a thread takes at least
constexpr int64_t kChunk =
    1 << 13;  // elements at a time: the average reads weights that are still in the cache

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

using kernels::Bf16;
using kernels::FloatOf;

// Without errno, or the square roots are taken one by one.
#if defined(__GNUC__) && !defined(__clang__)
#define IP2P_NO_ERRNO __attribute__((optimize("no-math-errno")))
#else
#define IP2P_NO_ERRNO
#endif

template <typename G>
IP2P_NO_ERRNO void Move(const Factors& f, const G* __restrict g, float* __restrict m, float* __restrict v,
                        float* __restrict w, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = FloatOf(g[i]) * f.gradient_scale;
    m[i] += f.beta1_rest * (gradient - m[i]);
    v[i] = v[i] * f.beta2 + f.beta2_rest * gradient * gradient;
    w[i] = w[i] * f.keep - f.step_size * (m[i] / (std::sqrt(v[i]) / f.root_correction + f.epsilon));
  }
}

void Average(const Factors& f, const float* __restrict w, float* __restrict ema, int64_t count) {
  for (int64_t i = 0; i < count; ++i) ema[i] -= f.ema_rest * (ema[i] - w[i]);
}

// The buffers' data, from the range's first element on.
template <typename G>
struct Pointers {
  const G* gradients;
  float* weights;
  Bf16* shadow;  // null: none
  float* ema;    // null: none is kept
  float *exp_avg, *exp_avg_sq;
  uint8_t *codes, *codes_sq;  // in their place
  float *scales, *scales_sq;
  int64_t begin;  // place of the first element in the buffers
};

// Moments in 8 bits are whole numbers for a block's update only.
template <typename G>
void MoveCodes(const Factors& f, const Pointers<G>& p, uint32_t seed, int64_t begin, int64_t end) {
  float m[kMomentBlock], v[kMomentBlock];
  for (int64_t at = begin; at < end; at += kMomentBlock) {
    float &scale = p.scales[at / kMomentBlock], &scale_sq = p.scales_sq[at / kMomentBlock];
    DecodeSigned(p.codes + at, scale, m);
    DecodeUnsigned(p.codes_sq + at, scale_sq, v);
    Move(f, p.gradients + at, m, v, p.weights + at, kMomentBlock);
    const uint32_t block = static_cast<uint32_t>((p.begin + at) / kMomentBlock) * 0x9E3779B9U;
    scale = EncodeSigned(m, (seed ^ block) * 2, p.codes + at);
    scale_sq = EncodeUnsigned(v, (seed ^ block) * 2 + 1, p.codes_sq + at);
  }
}

template <typename G>
void UpdateRange(const Factors& f, const Pointers<G>& p, uint32_t seed, int64_t count) {
  at::parallel_for(0, count / kMomentBlock, kGrain / kMomentBlock, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kMomentBlock, end = last * kMomentBlock;
    for (int64_t at = begin; at < end; at += kChunk) {
      const int64_t n = std::min(end - at, kChunk);
      if (p.codes != nullptr) {
        MoveCodes(f, p, seed, at, at + n);
      } else {
        Move(f, p.gradients + at, p.exp_avg + at, p.exp_avg_sq + at, p.weights + at, n);
      }
      if (p.ema != nullptr) Average(f, p.weights + at, p.ema + at, n);
      if (p.shadow != nullptr) kernels::RoundRows(p.weights + at, n, p.shadow + at);
    }
  });
}

template <typename T>
T* DataOf(const torch::Tensor& buffer, int64_t begin) {
  return buffer.defined() ? static_cast<T*>(buffer.mutable_data_ptr()) + begin : nullptr;
}

template <typename G>
void UpdateOnCpu(const Factors& f, const ParameterSet::Range& range, ParameterSet& parameters,
                 OptimizerState& state) {
  const bool coded = state.exp_avg_scale.defined();
  const int64_t begin = range.begin;
  const auto moments = [&](const torch::Tensor& t) { return coded ? nullptr : DataOf<float>(t, begin); };
  const auto codes = [&](const torch::Tensor& t) { return coded ? DataOf<uint8_t>(t, begin) : nullptr; };
  UpdateRange<G>(f,
                 {.gradients = static_cast<const G*>(range.gradients.const_data_ptr()),
                  .weights = DataOf<float>(parameters.weights(), begin),
                  .shadow = DataOf<Bf16>(range.shadow, 0),
                  .ema = DataOf<float>(state.ema, begin),
                  .exp_avg = moments(state.exp_avg),
                  .exp_avg_sq = moments(state.exp_avg_sq),
                  .codes = codes(state.exp_avg),
                  .codes_sq = codes(state.exp_avg_sq),
                  .scales = DataOf<float>(state.exp_avg_scale, begin / kMomentBlock),
                  .scales_sq = DataOf<float>(state.exp_avg_sq_scale, begin / kMomentBlock),
                  .begin = begin},
                 static_cast<uint32_t>(state.updates) * 0x85EBCA6BU, range.gradients.numel());
}

void UpdateAnywhere(const Factors& f, ParameterSet& parameters, OptimizerState& state) {
  torch::Tensor& weights = parameters.weights();
  const torch::Tensor& gradients = parameters.gradients();
  const torch::Tensor gradient = f.gradient_scale == 1 ? gradients : gradients * f.gradient_scale;
  weights.mul_(f.keep);
  state.exp_avg.lerp_(gradient, f.beta1_rest);
  state.exp_avg_sq.mul_(f.beta2).addcmul_(gradient, gradient, f.beta2_rest);
  weights.addcdiv_(state.exp_avg, state.exp_avg_sq.sqrt().div_(f.root_correction).add_(f.epsilon),
                   -f.step_size);
  if (state.ema.defined()) state.ema.lerp_(weights, f.ema_rest);
}

template <typename G>
double SumOfSquares(const torch::Tensor& x) {
  constexpr int kLanes = 16;
  const auto* data = static_cast<const G*>(x.const_data_ptr());
  std::vector<double> sums((x.numel() + kChunk - 1) / kChunk);
  at::parallel_for(0, static_cast<int64_t>(sums.size()), kGrain / kChunk, [&](int64_t first, int64_t last) {
    for (int64_t chunk = first; chunk < last; ++chunk) {
      float lanes[kLanes] = {};
      const int64_t begin = chunk * kChunk, end = std::min(begin + kChunk, x.numel());  // multiples of kLanes
      for (int64_t at = begin; at < end; at += kLanes) {
        for (int i = 0; i < kLanes; ++i) lanes[i] += FloatOf(data[at + i]) * FloatOf(data[at + i]);
      }
      for (const float lane : lanes) sums[chunk] += lane;
    }
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

}  // namespace

double EmaDecay(double decay, int64_t n) {
  return std::min(decay, static_cast<double>(1 + n) / static_cast<double>(10 + n));
}

OptimizerState NewOptimizerState(const ParameterSet& parameters, bool moments_in_8_bits, bool averages) {
  const torch::Tensor& weights = parameters.weights();
  TORCH_CHECK(!moments_in_8_bits || weights.is_cpu(), "moments in 8 bits are kept on the CPU only");
  const auto dtype = moments_in_8_bits ? torch::kUInt8 : torch::kFloat32;
  OptimizerState state{.exp_avg = parameters.NewBuffer(dtype), .exp_avg_sq = parameters.NewBuffer(dtype)};
  if (moments_in_8_bits) {
    state.exp_avg_scale = torch::zeros({weights.numel() / kMomentBlock}, weights.options());
    state.exp_avg_sq_scale = torch::zeros_like(state.exp_avg_scale);
  }
  if (averages) state.ema = weights.clone();
  return state;
}

double GradientNorm(ParameterSet& parameters) {
  if (!parameters.weights().is_cpu()) return parameters.gradients().norm().item<double>();
  double sum = SumOfSquares<float>(parameters.gradients());
  if (parameters.shadow_gradients().defined()) sum += SumOfSquares<Bf16>(parameters.shadow_gradients());
  return std::sqrt(sum);
}

void AdamWStep(const AdamWOptions& o, double learning_rate, double gradient_scale, double ema_decay,
               ParameterSet& parameters, OptimizerState& state) {
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
  if (!parameters.weights().is_cpu()) return UpdateAnywhere(f, parameters, state);
  for (const ParameterSet::Range& range : parameters.ranges()) {
    if (range.shadow.defined()) {
      UpdateOnCpu<Bf16>(f, range, parameters, state);
    } else {
      UpdateOnCpu<float>(f, range, parameters, state);
    }
  }
}

}  // namespace ip2p
