// See step_random.h.
#include "common/training/step_random.h"

#include "common/base/permutation.h"

namespace ip2p {

uint64_t SampleSeed(uint64_t seed, int64_t step, int64_t place) {
  return MixSeed(seed, static_cast<uint64_t>(step), static_cast<uint64_t>(place) + 1);
}

DiffusionDraws DrawDiffusion(std::span<const uint64_t> sample_seeds, at::IntArrayRef shape,
                             int64_t num_train_timesteps, torch::Device device) {
  std::vector<torch::Tensor> timesteps, noise, posterior, dropout;
  for (const uint64_t seed : sample_seeds) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    timesteps.push_back(torch::randint(num_train_timesteps, {1}, generator, torch::kInt64));
    noise.push_back(torch::randn(shape, generator));
    posterior.push_back(torch::randn(shape, generator));
    dropout.push_back(torch::rand({1}, generator));
  }
  return {.timesteps = torch::cat(timesteps).to(device),
          .noise = torch::stack(noise).to(device),
          .posterior_noise = torch::stack(posterior).to(device),
          .dropout = torch::cat(dropout).to(device)};
}

torch::Tensor DrawShares(std::span<const uint64_t> sample_seeds, torch::Device device) {
  constexpr uint64_t kShares = 1;  // a stream of its own
  std::vector<torch::Tensor> rows;
  for (const uint64_t seed : sample_seeds)
    rows.push_back(torch::rand({1}, at::make_generator<at::CPUGeneratorImpl>(MixSeed(seed, kShares))));
  return torch::cat(rows).to(device);
}

torch::Tensor DrawNormal(std::span<const uint64_t> sample_seeds, at::IntArrayRef shape,
                         torch::Device device) {
  std::vector<torch::Tensor> rows;
  for (const uint64_t seed : sample_seeds)
    rows.push_back(torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed)));
  return torch::stack(rows).to(device);
}

}  // namespace ip2p
