// The training noise schedule and k-diffusion's view of it: sigma = sqrt((1 - abar) / abar).
#pragma once

#include <vector>

#include "common/checkpoint/model_config.h"

namespace ip2p {

class NoiseSchedule {
 public:
  explicit NoiseSchedule(const SchedulerConfig& config);

  const SchedulerConfig& config() const { return config_; }
  const std::vector<double>& alphas_cumprod() const { return alphas_cumprod_; }  // [num_train_timesteps]
  double sigma_min() const;
  double sigma_max() const;
  // k-diffusion's DiscreteSchedule: linear between neighbouring log sigmas; timesteps may be fractions.
  double SigmaToTimestep(double sigma) const;
  double TimestepToSigma(double timestep) const;
  // Sigmas of an n-step run: n values falling from about sigma_max, then 0.
  std::vector<double> DefaultSigmas(int steps) const;
  std::vector<double> KarrasSigmas(int steps, double rho = 7.0) const;
  std::vector<double> ExponentialSigmas(int steps) const;

 private:
  SchedulerConfig config_;
  std::vector<double> alphas_cumprod_;
  std::vector<double> log_sigmas_;
};

}  // namespace ip2p
