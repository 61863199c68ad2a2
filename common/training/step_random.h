// The random numbers of one step. Each sample's follow from (seed, step, its place in the whole batch), so
// neither the number of ranks nor an interruption shows, and no generator's state is ever kept.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace ip2p {

// Seed of the sample at place `place` of the batch of step `step` (steps finished before it).
uint64_t SampleSeed(uint64_t seed, int64_t step, int64_t place);

// What a diffusion loss draws, a row a sample.
struct DiffusionDraws {
  torch::Tensor timesteps;        // [N] int64, 0..num_train_timesteps-1
  torch::Tensor noise;            // [N,C,h,w] float32
  torch::Tensor posterior_noise;  // [N,C,h,w]: the sample of the autoencoder's posterior
  torch::Tensor dropout;          // [N] float32 in [0,1): one number decides what is dropped
};
// `shape` is that of one sample's latents, [C,h,w].
DiffusionDraws DrawDiffusion(std::span<const uint64_t> sample_seeds, at::IntArrayRef shape,
                             int64_t num_train_timesteps, torch::Device device);

// Even in [0,1), float32, [N]; apart from what DrawNormal draws.
torch::Tensor DrawShares(std::span<const uint64_t> sample_seeds, torch::Device device);

// Standard normal float32, [N,shape...].
torch::Tensor DrawNormal(std::span<const uint64_t> sample_seeds, at::IntArrayRef shape, torch::Device device);

}  // namespace ip2p
