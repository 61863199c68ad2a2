// See changed_region.h.
#include "common/pipeline/changed_region.h"

#include <torch/utils.h>

#include "common/diffusion/denoiser.h"
#include "common/diffusion/request_noise.h"

namespace ip2p {
namespace {

constexpr double kSigma = 1;         // less hides what words mean, more where things are
constexpr int kNoises = 8;           // whose mean differences are taken
constexpr double kNearMost = 0.98;   // quantile that stands for the largest difference; single pixels don't
constexpr double kChanged = 0.35;    // of it
constexpr double kMostLocal = 0.35;  // share of the picture; a region over it is no region
constexpr double kWeakest = 0.5;     // largest difference of a part, of the largest of all
constexpr uint64_t kSeed = 77;

torch::Tensor Grown(const torch::Tensor& cells) { return torch::max_pool2d(cells, 3, 1, 1); }

// Of strength [1,1,h,w] the connected parts of `changed` but the weak ones: where words say what another
// object is like, too, that one differs a little. [1,1,h,w] float32, 0 or 1.
torch::Tensor StrongParts(const torch::Tensor& strength, const torch::Tensor& changed) {
  torch::Tensor largest = strength * changed;  // of each cell's part, once it has spread
  for (torch::Tensor before; !before.defined() || !torch::equal(before, largest);) {
    before = largest;
    largest = Grown(before) * changed;
  }
  return (largest > kWeakest * largest.max()).to(torch::kFloat32);
}

}  // namespace

torch::Tensor ChangedRegion(const StableDiffusion& model, const NoiseSchedule& schedule,
                            const torch::Tensor& captions, const torch::Tensor& photo) {
  UNet unet = model.unet;
  const TextContext texts = unet->PrepareText(captions);
  const torch::Tensor timesteps =
      torch::full({2}, schedule.SigmaToTimestep(kSigma), torch::kFloat32).to(model.device);
  NoiseGenerator noise(kSeed, model.device);
  torch::Tensor difference = torch::zeros_like(photo);
  for (int i = 0; i < kNoises; ++i) {
    const torch::Tensor x = (photo + kSigma * noise.Draw(photo.sizes())).repeat({2, 1, 1, 1});
    const torch::Tensor output =
        unet->forward(NetworkInput(x, kSigma).to(model.dtype), timesteps, texts, {}).to(torch::kFloat32);
    const torch::Tensor denoised = Denoised(schedule.config().prediction, x, kSigma, output);
    difference += denoised.narrow(0, 1, 1) - denoised.narrow(0, 0, 1);
  }
  const torch::Tensor strength = difference.abs().amax(1, /*keepdim=*/true);
  // NaN must show in the pair, not hide behind the photo.
  if (!torch::isfinite(strength.sum()).item<bool>()) return {};
  const torch::Tensor changed = (strength > kChanged * strength.quantile(kNearMost)).to(torch::kFloat32);
  if (Grown(changed).mean().item<double>() > kMostLocal) return {};
  return Grown(StrongParts(strength, changed)) > 0;
}

}  // namespace ip2p
