// Betas to cumulative alphas to sigmas, and the three sigma schedules. See the header.
#include "common/diffusion/noise_schedule.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p {
namespace {

constexpr int kMaxTrainTimesteps = 100000;  // keeps a forged config from asking for gigabytes

// torch.linspace and numpy.linspace: one value is `from`.
double Linspace(double from, double to, int count, int i) {
  return count == 1 ? from : from + (to - from) * i / (count - 1);
}

// `steps` falling values and the 0 they end at.
template <typename Value>
std::vector<double> ThenZero(int steps, Value value) {
  std::vector<double> sigmas(steps + 1);
  for (int i = 0; i < steps; ++i) sigmas[i] = value(i);
  return sigmas;
}

}  // namespace

absl::Status ValidateNoiseSchedule(const SchedulerConfig& c) {
  std::vector<std::string> faults;
  if (c.num_train_timesteps < 2 || c.num_train_timesteps > kMaxTrainTimesteps) {
    faults.push_back(
        absl::StrCat("num_train_timesteps is ", c.num_train_timesteps, "; wants 2..", kMaxTrainTimesteps));
  }
  if (!(c.beta_start > 0 && c.beta_start < 1)) {
    faults.push_back(absl::StrCat("beta_start is ", c.beta_start, "; wants a number between 0 and 1"));
  }
  if (!(c.beta_end > 0 && c.beta_end < 1)) {
    faults.push_back(absl::StrCat("beta_end is ", c.beta_end, "; wants a number between 0 and 1"));
  }
  if (faults.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("noise schedule: ", absl::StrJoin(faults, "; ")));
}

NoiseSchedule::NoiseSchedule(const SchedulerConfig& config) : config_(config) {
  if (!ValidateNoiseSchedule(config).ok()) return;
  const int n = config.num_train_timesteps;
  double abar = 1;
  for (int i = 0; i < n; ++i) {
    const double beta =
        config.scaled_linear
            ? std::pow(Linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), n, i), 2)
            : Linspace(config.beta_start, config.beta_end, n, i);
    abar *= 1 - beta;
    alphas_cumprod_.push_back(abar);
    log_sigmas_.push_back(0.5 * (std::log1p(-abar) - std::log(abar)));
  }
}

double NoiseSchedule::sigma_min() const { return std::exp(log_sigmas_.front()); }
double NoiseSchedule::sigma_max() const { return std::exp(log_sigmas_.back()); }

double NoiseSchedule::SigmaToTimestep(double sigma) const {
  if (sigma <= 0) return 0;
  const double log_sigma = std::log(sigma);
  const auto above = std::upper_bound(log_sigmas_.begin(), log_sigmas_.end(), log_sigma);
  const auto last_pair = static_cast<std::ptrdiff_t>(log_sigmas_.size()) - 2;
  const auto low = std::clamp<std::ptrdiff_t>(above - log_sigmas_.begin() - 1, 0, last_pair);
  const double w = (log_sigma - log_sigmas_[low]) / (log_sigmas_[low + 1] - log_sigmas_[low]);
  return static_cast<double>(low) + std::clamp(w, 0.0, 1.0);
}

double NoiseSchedule::TimestepToSigma(double timestep) const {
  const double t = std::clamp(timestep, 0.0, static_cast<double>(log_sigmas_.size() - 1));
  const auto low = static_cast<size_t>(t);
  const size_t high = std::min(low + 1, log_sigmas_.size() - 1);
  const double w = t - static_cast<double>(low);
  return std::exp((1 - w) * log_sigmas_[low] + w * log_sigmas_[high]);
}

std::vector<double> NoiseSchedule::DefaultSigmas(int steps) const {
  const auto t_max = static_cast<double>(log_sigmas_.size() - 1);
  return ThenZero(steps, [&](int i) { return TimestepToSigma(Linspace(t_max, 0, steps, i)); });
}

// Karras et al. 2022, equation 5.
std::vector<double> NoiseSchedule::KarrasSigmas(int steps, double rho) const {
  const double from = std::pow(sigma_max(), 1 / rho);
  const double to = std::pow(sigma_min(), 1 / rho);
  return ThenZero(steps, [&](int i) { return std::pow(Linspace(from, to, steps, i), rho); });
}

std::vector<double> NoiseSchedule::ExponentialSigmas(int steps) const {
  return ThenZero(
      steps, [&](int i) { return std::exp(Linspace(log_sigmas_.back(), log_sigmas_.front(), steps, i)); });
}

}  // namespace ip2p
