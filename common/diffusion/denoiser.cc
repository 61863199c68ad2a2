// Scalings between the network's variance-preserving world and k-diffusion's. See the header.
#include "common/diffusion/denoiser.h"

#include <cmath>

namespace ip2p {

DenoiserScalings ScalingsFor(PredictionType prediction, double sigma) {
  const double variance = sigma * sigma + 1;  // sigma_data is 1
  const double c_in = 1 / std::sqrt(variance);
  if (prediction == PredictionType::kVPrediction) return {1 / variance, -sigma * c_in, c_in};
  return {1, -sigma, c_in};
}

torch::Tensor NetworkInput(const torch::Tensor& x, double sigma) {
  return x * ScalingsFor(PredictionType::kEpsilon, sigma).c_in;  // the same for both predictions
}

torch::Tensor Denoised(PredictionType prediction, const torch::Tensor& x, double sigma,
                       const torch::Tensor& output) {
  const DenoiserScalings c = ScalingsFor(prediction, sigma);
  return x * c.c_skip + output.to(x.scalar_type()) * c.c_out;
}

}  // namespace ip2p
