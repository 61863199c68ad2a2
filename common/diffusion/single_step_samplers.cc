// Samplers that look at one step only: k_diffusion.sampling's, with eta = 1, s_noise = 1 and no churn.
//
// Scalars are double where k-diffusion has float32 tensors of one element: same formulas, less rounding.
#include <algorithm>
#include <cmath>

#include "common/diffusion/sampler_run.h"

namespace ip2p {
namespace {

using torch::Tensor;

// How far down to go, and how much noise to add to come back up to `to`.
struct AncestralStep {
  double down;
  double up;
};

AncestralStep GetAncestralStep(double from, double to) {
  const double up = std::min(to, std::sqrt(to * to * (from * from - to * to) / (from * from)));
  return {std::sqrt(to * to - up * up), up};
}

// Karras et al. 2022: dx/dsigma.
Tensor ToDerivative(const Tensor& x, double sigma, const Tensor& denoised) { return (x - denoised) / sigma; }

}  // namespace

SamplerTask SampleEuler(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    x = x + ToDerivative(x, sigmas[i], denoised) * (sigmas[i + 1] - sigmas[i]);
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

SamplerTask SampleEulerAncestral(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    const AncestralStep sigma = GetAncestralStep(sigmas[i], sigmas[i + 1]);
    x = x + ToDerivative(x, sigmas[i], denoised) * (sigma.down - sigmas[i]);
    if (sigmas[i + 1] > 0) x = x + run->noise() * sigma.up;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// Algorithm 2 of Karras et al. 2022: the mean of the slopes at both ends.
SamplerTask SampleHeun(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    Tensor d = ToDerivative(x, sigmas[i], denoised);
    const double dt = sigmas[i + 1] - sigmas[i];
    if (sigmas[i + 1] > 0) {
      const Tensor x_2 = x + d * dt;
      const Tensor denoised_2 = co_await run->Denoise(x_2, sigmas[i + 1]);
      d = (d + ToDerivative(x_2, sigmas[i + 1], denoised_2)) / 2;
    }
    x = x + d * dt;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// DPM-Solver-2: the slope at the geometric middle.
SamplerTask SampleDpm2Ancestral(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    const AncestralStep sigma = GetAncestralStep(sigmas[i], sigmas[i + 1]);
    const Tensor d = ToDerivative(x, sigmas[i], denoised);
    if (sigma.down > 0) {
      const double middle = std::sqrt(sigmas[i] * sigma.down);
      const Tensor x_2 = x + d * (middle - sigmas[i]);
      const Tensor denoised_2 = co_await run->Denoise(x_2, middle);
      x = x + ToDerivative(x_2, middle, denoised_2) * (sigma.down - sigmas[i]);
      x = x + run->noise() * sigma.up;
    } else {
      x = x + d * (sigma.down - sigmas[i]);
    }
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// DPM-Solver++(2S), arXiv 2211.01095, in t = -log sigma with the middle at r = 1/2.
SamplerTask SampleDpmpp2SAncestral(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    const AncestralStep sigma = GetAncestralStep(sigmas[i], sigmas[i + 1]);
    if (sigma.down > 0) {
      const double h = std::log(sigmas[i] / sigma.down);
      const double middle = std::sqrt(sigmas[i] * sigma.down);
      const Tensor x_2 = x * (middle / sigmas[i]) - denoised * std::expm1(-h / 2);
      const Tensor denoised_2 = co_await run->Denoise(x_2, middle);
      x = x * (sigma.down / sigmas[i]) - denoised_2 * std::expm1(-h);
      x = x + run->noise() * sigma.up;
    } else {
      x = x + ToDerivative(x, sigmas[i], denoised) * (sigma.down - sigmas[i]);
    }
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

}  // namespace ip2p
