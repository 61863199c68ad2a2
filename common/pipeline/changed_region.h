// Where a photo changes when its caption becomes another: the estimates of the picture for both captions are
// compared, as DiffEdit does (Couairon et al., arXiv 2210.11427, step 1), at little noise, where they show
// the photo itself and differ by what the words say alone. Parts that differ by less than half as much as
// another one are left out: they are what a small model takes for the other object. Internal to what links
// torch; its exceptions leave.
#pragma once

#include <torch/types.h>

#include "common/diffusion/noise_schedule.h"
#include "common/model/stable_diffusion.h"

namespace ip2p {

// captions [2,77,D]: of the photo, and the edited one. photo [1,C,h,w] float32 in the model's scale. ->
// [1,1,h,w] bool with a border of one latent pixel, or undefined when most of the picture changes. The same
// for equal arguments; costs eight evaluations of two rows.
torch::Tensor ChangedRegion(const StableDiffusion& model, const NoiseSchedule& schedule,
                            const torch::Tensor& captions, const torch::Tensor& photo);

}  // namespace ip2p
