// Samplers as state machines, so that edits with different samplers share one UNet batch.
//
// A sampler is written as a coroutine that reads like its source (`denoised = co_await run->Denoise(x,
// sigma)`), and is driven from outside: it says which (x, sigma) it wants denoised, the caller feeds the
// answer. All tensors are float32 [1,C,h,w] on the model's device; noise is drawn on the CPU from the
// request's own generator, in the source's order. One thread at a time. Torch's exceptions (and those of
// `noise`) leave through Create and Feed.
#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/diffusion/kinds.h"
#include "common/diffusion/noise_schedule.h"

namespace ip2p {

using NoiseDraw = std::function<torch::Tensor()>;  // fresh standard normal noise of x's shape, on x's device

struct SamplerConfig {
  SamplerKind kind = SamplerKind::kEulerA;
  SigmaSchedule schedule = SigmaSchedule::kDefault;
  int steps = 100;
};

class Sampler {
 public:
  // `noise` is called first for the start noise (scaled by the first sigma), then once a stochastic step.
  // Errors: INVALID_ARGUMENT (steps outside 1..1000; ddim: above the training timesteps), FAILED_PRECONDITION
  // (the noise schedule's config).
  static absl::StatusOr<std::unique_ptr<Sampler>> Create(const SamplerConfig& config,
                                                         const NoiseSchedule& schedule, NoiseDraw noise);
  virtual ~Sampler() = default;

  virtual bool done() const = 0;
  // The evaluation that the sampler waits for. Only while !done().
  virtual const torch::Tensor& x() const = 0;  // in k-diffusion's scale: x = x0 + sigma * noise
  virtual double sigma() const = 0;
  // `denoised` is the guided estimate of x0 at (x(), sigma()): x()'s shape, float32, else it throws and
  // nothing moves. After an exception from inside the sampler it is done() without latents: drop it.
  virtual void Feed(torch::Tensor denoised) = 0;
  virtual int step() const = 0;                      // finished steps, 0..steps
  virtual const torch::Tensor& latents() const = 0;  // the result, once done()
};

}  // namespace ip2p
