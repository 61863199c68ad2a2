// The driver: starts the coroutine that a config names and passes evaluations in and out. See the header.
#include "common/diffusion/sampler.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/diffusion/sampler_run.h"
#include "common/diffusion/sigma_plan.h"

namespace ip2p {
namespace {

SamplerTask StartTask(SamplerKind kind, SamplerRun* run) {
  switch (kind) {
    case SamplerKind::kEulerA:
      return SampleEulerAncestral(run);
    case SamplerKind::kHeun:
      return SampleHeun(run);
    case SamplerKind::kDpm2A:
      return SampleDpm2Ancestral(run);
    case SamplerKind::kDpmpp2SA:
      return SampleDpmpp2SAncestral(run);
    case SamplerKind::kDpmpp2M:
      return SampleDpmpp2M(run);
    case SamplerKind::kDpmpp2MSde:
      return SampleDpmpp2MSde(run);
    case SamplerKind::kLms:
      return SampleLms(run);
    case SamplerKind::kUniPc:
      return SampleUniPc(run);
    case SamplerKind::kEuler:
    case SamplerKind::kDdim:
      // DDIM (arXiv 2010.02502, equation 12 with eta 0) divided by sqrt(abar) is Euler's step in
      // k-diffusion's scale; what is its own, timesteps and the ends' scale, is in the sigma plan.
      break;
  }
  return SampleEuler(run);
}

class CoroutineSampler final : public Sampler {
 public:
  CoroutineSampler(SamplerKind kind, SigmaPlan plan, NoiseDraw noise)
      : run_(MakeRun(std::move(plan), std::move(noise))), task_(StartTask(kind, &run_)) {
    Advance();
  }

  bool done() const override { return task_.done(); }
  const torch::Tensor& x() const override { return run_.x; }
  double sigma() const override { return run_.sigma; }
  int step() const override { return run_.step; }
  const torch::Tensor& latents() const override { return task_.result(); }

  void Feed(torch::Tensor denoised) override {
    TORCH_CHECK(!done(), "the sampler is done; wants no more evaluations");
    TORCH_CHECK(denoised.sizes() == run_.x.sizes() && denoised.scalar_type() == torch::kFloat32,
                "denoised is ", denoised.scalar_type(), " ", denoised.sizes(), "; wants Float ",
                run_.x.sizes());
    run_.denoised = std::move(denoised);
    Advance();
  }

 private:
  static SamplerRun MakeRun(SigmaPlan plan, NoiseDraw noise) {
    SamplerRun run;
    run.sigmas = std::move(plan.sigmas);
    run.start_scale = plan.start_scale;
    run.result_scale = plan.result_scale;
    run.noise = std::move(noise);
    return run;
  }

  void Advance() {
    const torch::NoGradGuard
        no_grad;  // here, not in the coroutine: the guard is this thread's and must not be suspended
    task_.Resume();
  }

  SamplerRun run_;
  SamplerTask task_;  // after run_, which it points to
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sampler>> Sampler::Create(const SamplerConfig& config,
                                                         const NoiseSchedule& schedule, NoiseDraw noise) {
  IP2P_ASSIGN_OR_RETURN(SigmaPlan plan, PlanSigmas(config.kind, config.schedule, config.steps, schedule));
  return std::make_unique<CoroutineSampler>(config.kind, std::move(plan), std::move(noise));
}

}  // namespace ip2p
