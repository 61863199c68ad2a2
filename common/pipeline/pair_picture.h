// Latents of a pair to its two pictures. Internal to what links torch; torch's exceptions leave.
#pragma once

#include <torch/types.h>

#include "common/image/image.h"
#include "common/model/stable_diffusion.h"

namespace ip2p {

// latents [2,C,h,w] -> [2,3,H,W] float32 in 0..1 (NaN stays NaN). One picture at a time: half the memory, and
// neither depends on the other.
torch::Tensor DecodePictures(const StableDiffusion& model, const torch::Tensor& latents);

// [3,H,W] float32 in 0..1 -> 8 bits. Cut off, not rounded, as the reference saves its pairs.
Image TruncatedImage(const torch::Tensor& picture);

}  // namespace ip2p
