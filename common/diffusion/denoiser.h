// A DDPM network seen as k-diffusion sees it: denoised = c_out * network(c_in * x, t(sigma)) + c_skip * x.
//
// The scalings of k_diffusion.external's DiscreteEpsDDPMDenoiser and DiscreteVDDPMDenoiser. Pure, any thread.
#pragma once

#include <torch/types.h>

#include "common/checkpoint/model_config.h"

namespace ip2p {

struct DenoiserScalings {
  double c_skip = 1;
  double c_out = 0;
  double c_in = 1;
};

DenoiserScalings ScalingsFor(PredictionType prediction, double sigma);

// What the network is given for x [N,C,h,w] in k-diffusion's scale (x0 + sigma * noise).
torch::Tensor NetworkInput(const torch::Tensor& x, double sigma);
// The estimate of x0 that the network's `output` (epsilon or v, any float dtype) at (x, sigma) means, in x's
// dtype.
torch::Tensor Denoised(PredictionType prediction, const torch::Tensor& x, double sigma,
                       const torch::Tensor& output);

}  // namespace ip2p
