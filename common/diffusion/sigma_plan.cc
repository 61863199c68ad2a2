// Sigma lists of k-diffusion and of diffusers' DDIMScheduler and UniPCMultistepScheduler. See the header.
#include "common/diffusion/sigma_plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr int kMaxSteps = 1000;

// diffusers' DDIMScheduler, timestep_spacing "leading".
std::vector<double> DdimSigmas(int steps, const NoiseSchedule& schedule) {
  const int train = schedule.config().num_train_timesteps;
  const int stride = train / steps;
  std::vector<double> sigmas;
  for (int i = steps - 1; i >= 0; --i) {
    // The clamp matters where diffusers fails: as many steps as training timesteps, plus the offset.
    const int t = std::clamp(i * stride + schedule.config().steps_offset, 0, train - 1);
    sigmas.push_back(schedule.TimestepToSigma(t));
  }
  const int before_last = schedule.config().steps_offset - stride;  // "prev_timestep" of the last step
  const bool ends_clean = before_last < 0 && schedule.config().set_alpha_to_one;
  sigmas.push_back(ends_clean ? 0 : schedule.TimestepToSigma(std::clamp(before_last, 0, train - 1)));
  return sigmas;
}

// diffusers' UniPCMultistepScheduler, timestep_spacing "linspace": steps + 1 rounded timesteps without the
// last, then 0.
std::vector<double> UniPcSigmas(int steps, const NoiseSchedule& schedule) {
  const int t_max = schedule.config().num_train_timesteps - 1;
  std::vector<double> sigmas;
  for (int i = steps; i > 0; --i) {
    const double t = static_cast<double>(t_max) * i / steps;
    // nearbyint rounds halves to even as numpy does. With more steps than intervals rounding would repeat a
    // timestep, and the solver divides by the distance of two (diffusers then makes NaN): the fractions are
    // kept instead.
    sigmas.push_back(schedule.TimestepToSigma(steps > t_max ? t : std::nearbyint(t)));
  }
  sigmas.push_back(0);
  return sigmas;
}

}  // namespace

absl::StatusOr<SigmaPlan> PlanSigmas(SamplerKind kind, SigmaSchedule schedule, int steps,
                                     const NoiseSchedule& noise_schedule) {
  IP2P_RETURN_IF_ERROR(ValidateNoiseSchedule(noise_schedule.config()));
  const int train = noise_schedule.config().num_train_timesteps;
  const int most = kind == SamplerKind::kDdim ? std::min(kMaxSteps, train) : kMaxSteps;
  if (steps < 1 || steps > most) {
    return absl::InvalidArgumentError(absl::StrCat("steps is ", steps, "; wants 1..", most));
  }
  SigmaPlan plan;
  if (schedule == SigmaSchedule::kKarras) {
    plan.sigmas = noise_schedule.KarrasSigmas(steps);
  } else if (schedule == SigmaSchedule::kExponential) {
    plan.sigmas = noise_schedule.ExponentialSigmas(steps);
  } else if (kind == SamplerKind::kDdim) {
    plan.sigmas = DdimSigmas(steps, noise_schedule);
  } else if (kind == SamplerKind::kUniPc) {
    plan.sigmas = UniPcSigmas(steps, noise_schedule);
  } else {
    plan.sigmas = noise_schedule.DefaultSigmas(steps);
  }
  const bool variance_preserving = kind == SamplerKind::kDdim || kind == SamplerKind::kUniPc;
  plan.start_scale = variance_preserving ? std::hypot(1, plan.sigmas.front()) : plan.sigmas.front();
  plan.result_scale = variance_preserving ? 1 / std::hypot(1, plan.sigmas.back()) : 1;
  return plan;
}

}  // namespace ip2p
