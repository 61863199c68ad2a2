// Edits inside of a mask only, for every sampler: outside, the denoiser's estimate is the photo itself,
//
//     D'(x, sigma) = m D(x, sigma) + (1 - m) z0
//
// so that x is drawn to the photo's latents z0 there, each step sees the photo around what it edits, and the
// last step ends at z0 exactly. Pure functions, any thread.
#pragma once

#include <torch/types.h>

namespace ip2p {

// denoised, original (z0, scaled as the denoiser's latents are) [1,C,h,w]; mask [1,1,h,w] bool, true where
// the photo may change -> [1,C,h,w], equal to one of the two in each place.
torch::Tensor KeepOutside(const torch::Tensor& mask, const torch::Tensor& denoised,
                          const torch::Tensor& original);

}  // namespace ip2p
