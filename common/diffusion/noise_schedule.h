// The training noise schedule and k-diffusion's view of it: sigma = sqrt((1 - abar) / abar).
//
// Immutable and pure: any thread. k-diffusion keeps these numbers in float32; here they are double, which
// moves a sigma by at most 4e-5 of itself (at sigma_min, where 1 - abar cancels in float32) and a result by
// about 1e-6 of its range.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint/model_config.h"

namespace ip2p {

// FAILED_PRECONDITION, all faults together: too few training timesteps, or betas outside (0, 1).
absl::Status ValidateNoiseSchedule(const SchedulerConfig& config);

class NoiseSchedule {
 public:
  // `config` passes ValidateNoiseSchedule; of one that does not, only config() may be asked.
  explicit NoiseSchedule(const SchedulerConfig& config);

  const SchedulerConfig& config() const { return config_; }
  const std::vector<double>& alphas_cumprod() const { return alphas_cumprod_; }  // [num_train_timesteps]
  double sigma_min() const;
  double sigma_max() const;
  // k-diffusion's DiscreteSchedule: linear between neighbouring log sigmas; timesteps may be fractions.
  // Arguments beyond the ends are the ends.
  double SigmaToTimestep(double sigma) const;
  double TimestepToSigma(double timestep) const;
  // Sigmas of an n-step run: n values falling from about sigma_max, then 0. One step is {sigma_max, 0}.
  std::vector<double> DefaultSigmas(int steps) const;
  std::vector<double> KarrasSigmas(int steps, double rho = 7.0) const;
  std::vector<double> ExponentialSigmas(int steps) const;

 private:
  SchedulerConfig config_;
  std::vector<double> alphas_cumprod_;
  std::vector<double> log_sigmas_;
};

}  // namespace ip2p
