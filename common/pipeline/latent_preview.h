// A picture of unfinished latents without the VAE: a linear map from latent channels to RGB.
//
// The map is fitted on the edit's own photo, whose latents and pixels are both known, so it fits any
// checkpoint and needs no constants of one.
#pragma once

#include <torch/types.h>

#include "common/image/image.h"

namespace ip2p {

class LatentPreview {
 public:
  // pixels [1,3,H,W] in -1..1 and their scaled latents [1,C,h,w].
  LatentPreview(const torch::Tensor& pixels, const torch::Tensor& latents);
  // latents [1,C,h,w] -> a picture of w by h pixels.
  Image Draw(const torch::Tensor& latents) const;

 private:
  torch::Tensor map_;  // [C+1,3]; the last row is the offset
};

}  // namespace ip2p
