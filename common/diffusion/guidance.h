// Two-scale classifier-free guidance (Brooks et al., arXiv 2211.09800, equation 3):
//
//     e = e_none + s_image (e_image - e_none) + s_text (e_full - e_image)
//
// Pure functions, any thread. The guided quantity may be epsilon, v or x0: all are affine in each other at
// one (x, sigma), and the coefficients sum to one.
#pragma once

#include <torch/types.h>

#include <vector>

namespace ip2p {

struct GuidanceScales {
  double text = 7.5;
  double image = 1.5;
};

// One network evaluation of the three. Where `text` is false the negative prompt stands (the empty text by
// default); where `image` is false the image latents are zeros.
struct GuidanceBranch {
  bool text = false;
  bool image = false;
  double coefficient = 0;  // full s_text, image only s_image - s_text, neither 1 - s_image

  bool operator==(const GuidanceBranch&) const = default;
};

// The branches whose coefficient is not exactly zero, in the order text + image, image only, neither. 1 to 3
// of them: a branch that is left out needs no evaluation (s_image = 1 saves the last, s_text = s_image the
// second). `with_difference`: the first two in any case, for the difference between them.
std::vector<GuidanceBranch> GuidanceBranches(const GuidanceScales& scales, bool with_difference = false);

// `outputs` [B,C,h,w], any dtype, one row a branch in the order of GuidanceBranches(scales, with_difference)
// -> [1,C,h,w] float32.
torch::Tensor Guide(const torch::Tensor& outputs, const GuidanceScales& scales, bool with_difference = false);

}  // namespace ip2p
