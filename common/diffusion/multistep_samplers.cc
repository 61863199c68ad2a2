// Samplers that remember earlier steps. From k_diffusion.sampling: dpmpp_2m, dpmpp_2m_sde, lms. From
// diffusers: unipc.
//
// Scalars are double where the sources have float32 tensors of one element: same formulas, less rounding.
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "common/diffusion/sampler_run.h"

namespace ip2p {
namespace {

using torch::Tensor;

// Integral over [t_i, t_i+1] of the Lagrange polynomial that is 1 at t[i-j] and 0 at the other of the last
// `order` points. Two Gauss-Legendre nodes are exact up to degree 3 = order 4 (k-diffusion integrates
// numerically).
double LinearMultistepCoefficient(int order, const std::vector<double>& t, size_t i, int j) {
  const double middle = (t[i + 1] + t[i]) / 2, half = (t[i + 1] - t[i]) / 2;
  double integral = 0;
  for (const double node : {-1 / std::sqrt(3.0), 1 / std::sqrt(3.0)}) {
    const double tau = middle + half * node;
    double product = 1;
    for (int k = 0; k < order; ++k) {
      if (k != j) product *= (tau - t[i - k]) / (t[i - j] - t[i - k]);
    }
    integral += product * half;
  }
  return integral;
}

}  // namespace

// DPM-Solver++(2M), arXiv 2211.01095, in t = -log sigma.
SamplerTask SampleDpmpp2M(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  Tensor old_denoised;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    if (sigmas[i + 1] == 0) {
      x = denoised;  // the limit of the formula below
    } else {
      const double h = std::log(sigmas[i] / sigmas[i + 1]);
      Tensor denoised_d = denoised;
      if (old_denoised.defined()) {
        const double r = std::log(sigmas[i - 1] / sigmas[i]) / h;
        denoised_d = denoised * (1 + 1 / (2 * r)) - old_denoised * (1 / (2 * r));
      }
      x = x * (sigmas[i + 1] / sigmas[i]) - denoised_d * std::expm1(-h);
    }
    old_denoised = denoised;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// DPM-Solver++(2M) SDE, midpoint, eta 1. k-diffusion's default noise is a Brownian tree, whose values depend
// on the whole grid of sigmas; here each step draws plain normal noise, which has the same distribution on a
// fixed grid.
SamplerTask SampleDpmpp2MSde(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  Tensor old_denoised;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    if (sigmas[i + 1] == 0) {
      x = denoised;
    } else {
      const double h = std::log(sigmas[i] / sigmas[i + 1]);
      const double gain = -std::expm1(-2 * h);
      x = x * (sigmas[i + 1] / sigmas[i] * std::exp(-h)) + denoised * gain;
      if (old_denoised.defined()) {
        const double r = std::log(sigmas[i - 1] / sigmas[i]) / h;
        x = x + (denoised - old_denoised) * (0.5 * gain / r);
      }
      x = x + run->noise() * (sigmas[i + 1] * std::sqrt(gain));
    }
    old_denoised = denoised;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// Linear multistep (Adams-Bashforth on uneven steps) of order 4.
SamplerTask SampleLms(SamplerRun* run) {
  constexpr int kOrder = 4;
  const std::vector<double>& sigmas = run->sigmas;
  Tensor x = run->noise() * run->start_scale;
  std::deque<Tensor> derivatives;  // newest first
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const Tensor denoised = co_await run->Denoise(x, sigmas[i]);
    derivatives.push_front((x - denoised) / sigmas[i]);
    if (derivatives.size() > kOrder) derivatives.pop_back();
    const int order = static_cast<int>(derivatives.size());
    Tensor change = derivatives[0] * LinearMultistepCoefficient(order, sigmas, i, 0);
    for (int j = 1; j < order; ++j) {
      change = change + derivatives[j] * LinearMultistepCoefficient(order, sigmas, i, j);
    }
    x = x + change;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

// UniPC (arXiv 2302.04867) as diffusers' UniPCMultistepScheduler by default: order 2, B(h) = e^h - 1 ("bh2"),
// predicting x0, lower order at both ends, corrector always on. In k-diffusion's scale its alphas cancel and
// lambda = -log sigma.
SamplerTask SampleUniPc(SamplerRun* run) {
  const std::vector<double>& sigmas = run->sigmas;
  const int steps = static_cast<int>(sigmas.size()) - 1;
  Tensor x = run->noise() * run->start_scale;
  Tensor last_x;  // before the last prediction
  Tensor m1, m2;  // estimates of x0 one and two steps back
  int order = 0;  // of the last prediction
  for (int i = 0; i < steps; ++i) {
    const Tensor m0 = co_await run->Denoise(x, sigmas[i]);
    if (i > 0) {  // UniC: redo the last step, now knowing the estimate at its end
      const double h = std::log(sigmas[i - 1] / sigmas[i]);
      const double b_h = std::expm1(-h);
      x = last_x * (sigmas[i] / sigmas[i - 1]) - m1 * b_h;
      if (order == 1) {
        x = x - (m0 - m1) * (b_h / 2);
      } else {
        const double rk = std::log(sigmas[i - 2] / sigmas[i - 1]) / -h;
        const double phi_2 = b_h / -h - 1;
        const double b_1 = phi_2 / b_h, b_2 = (phi_2 / -h - 0.5) * 2 / b_h;
        const double rho_0 = (b_2 - b_1) / (rk - 1), rho_1 = b_1 - rho_0;  // [1 1; rk 1] rho = b
        x = x - ((m2 - m1) * (rho_0 / rk) + (m0 - m1) * rho_1) * b_h;
      }
    }
    last_x = x;
    order = std::min({2, i + 1, steps - i});
    // UniP: predict. The last sigma is 0, where h is infinite and e^-h - 1 is -1.
    const double h = std::log(sigmas[i] / sigmas[i + 1]);
    const double b_h = std::expm1(-h);
    x = last_x * (sigmas[i + 1] / sigmas[i]) - m0 * b_h;
    if (order == 2) {
      const double rk = std::log(sigmas[i - 1] / sigmas[i]) / -h;
      x = x - (m1 - m0) * (0.5 * b_h / rk);
    }
    m2 = m1;
    m1 = m0;
    run->FinishStep();
  }
  co_return x * run->result_scale;
}

}  // namespace ip2p
