// Which noise levels a run visits, and how its first and last x are scaled. Pure, any thread, no torch.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/diffusion/kinds.h"
#include "common/diffusion/noise_schedule.h"

namespace ip2p {

struct SigmaPlan {
  std::vector<double> sigmas;  // falling, steps + 1 of them
  double start_scale = 1;      // first x = start_scale * noise
  double result_scale = 1;     // latents = result_scale * last x
};

// The k-diffusion samplers start at sigma_0 * noise and end at sigma 0. ddim and unipc come from the
// variance-preserving world of diffusers, x_vp = x / sqrt(1 + sigma^2), and start at x_vp = noise; with the
// default schedule they also visit diffusers' timesteps ("leading" with steps_offset, and "linspace"), and
// ddim ends above 0 unless set_alpha_to_one. Errors: INVALID_ARGUMENT (steps), FAILED_PRECONDITION
// (schedule).
absl::StatusOr<SigmaPlan> PlanSigmas(SamplerKind kind, SigmaSchedule schedule, int steps,
                                     const NoiseSchedule& noise_schedule);

}  // namespace ip2p
