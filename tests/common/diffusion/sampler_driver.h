// Runs a sampler on a denoiser that is a formula.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "common/diffusion/request_noise.h"
#include "common/diffusion/sampler.h"

namespace ip2p {

using AnalyticDenoiser = std::function<torch::Tensor(const torch::Tensor& x, double sigma)>;

// The posterior mean of data that is normal around `mean` with standard deviation `deviation`: the one
// denoiser whose probability flow has a closed form.
inline AnalyticDenoiser NormalDenoiser(torch::Tensor mean, double deviation) {
  return [mean = std::move(mean), variance = deviation * deviation](const torch::Tensor& x, double sigma) {
    return (x * variance + mean * (sigma * sigma)) / (variance + sigma * sigma);
  };
}

inline NoiseDraw SeededNoise(uint64_t seed, std::vector<int64_t> shape = {1, 4, 8, 8}) {
  auto generator = std::make_shared<NoiseGenerator>(seed, torch::kCPU);
  return [generator, shape = std::move(shape)] { return generator->Draw(shape); };
}

inline std::unique_ptr<Sampler> MakeSampler(const SamplerConfig& config, NoiseDraw noise) {
  return Sampler::Create(config, NoiseSchedule(SchedulerConfig{}), std::move(noise)).value();
}

inline std::string CaseName(const ::testing::TestParamInfo<SamplerKind>& test) {
  return SamplerName(test.param);
}

// Feeds it to the end; returns the number of evaluations.
inline int Drive(Sampler& sampler, const AnalyticDenoiser& denoiser) {
  int evaluations = 0;
  for (; !sampler.done(); ++evaluations) sampler.Feed(denoiser(sampler.x(), sampler.sigma()));
  return evaluations;
}

}  // namespace ip2p
