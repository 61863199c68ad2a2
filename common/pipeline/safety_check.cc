// See safety_check.h. Thresholds and rounding: diffusers' pipelines/stable_diffusion/safety_checker.py.
#include "common/pipeline/safety_check.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/resize.h"
#include "common/model/clip/clip.h"
#include "common/pipeline/catch_torch.h"

namespace ip2p {
namespace {

// The short side becomes `edge`, the long one is rounded down, as CLIPImageProcessor does.
ImageSize ShortSideTo(const Image& image, int edge) {
  const int shorter = std::min(image.width, image.height);
  const auto scaled = [&](int side) { return static_cast<int>(static_cast<int64_t>(edge) * side / shorter); };
  return {scaled(image.width), scaled(image.height)};
}

// Positive after rounding to three decimals. Not a number: true.
bool Exceeds(float excess, double adjustment) {
  return !(std::round((static_cast<double>(excess) + adjustment) * 1000) <= 0);
}

class Checker final : public SafetyChecker {
 public:
  Checker(SafetyNetwork network, const ClipPreprocessing& preprocessing, torch::Device device)
      : network_(std::move(network)), preprocessing_(preprocessing), device_(device) {}

  absl::StatusOr<bool> IsUnsafe(const Image& image) override {
    if (image.width < 1 || image.height < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("the picture is ", image.width, "x", image.height, " px; wants at least 1x1"));
    }
    IP2P_ASSIGN_OR_RETURN(const Image fitted,
                          ResizeBicubic(image, ShortSideTo(image, preprocessing_.shortest_edge)));
    return CatchTorch("the safety check", [&] { return Judge(Prepare(fitted)); });
  }

 private:
  torch::Tensor Prepare(const Image& fitted) const {
    const int64_t crop = preprocessing_.crop_size;
    const int64_t top = (fitted.height - crop) / 2, left = (fitted.width - crop) / 2;
    const torch::Tensor bytes = torch::from_blob(const_cast<uint8_t*>(fitted.pixels.data()),
                                                 {fitted.height, fitted.width, 3}, torch::kUInt8);
    const torch::Tensor square = bytes.narrow(0, top, crop).narrow(1, left, crop).to(torch::kFloat32) / 255;
    const auto row = [](const std::array<float, 3>& v) { return torch::tensor(c10::ArrayRef<float>(v)); };
    const torch::Tensor input = (square - row(preprocessing_.mean)) / row(preprocessing_.std);
    return input.permute({2, 0, 1}).unsqueeze(0).contiguous().to(device_);
  }

  // A special concept that is found lowers the thresholds of all that follow.
  bool Judge(const torch::Tensor& input) const {
    const torch::NoGradGuard no_grad;
    const SafetyNetworkImpl::Excess excess = network_->forward(input);
    const torch::Tensor special = excess.special.cpu(), concepts = excess.concepts.cpu();
    double adjustment = 0;
    for (int64_t i = 0; i < special.size(1); ++i) {
      if (Exceeds(special[0][i].item<float>(), adjustment)) adjustment = 0.01;
    }
    for (int64_t i = 0; i < concepts.size(1); ++i) {
      if (Exceeds(concepts[0][i].item<float>(), adjustment)) return true;
    }
    return false;
  }

  const SafetyNetwork network_;
  const ClipPreprocessing preprocessing_;
  const torch::Device device_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SafetyChecker>> SafetyChecker::Create(const SafetyCheckerSource& source,
                                                                     const std::string& device) {
  auto network = CatchTorch("loading the safety checker", [&] {
    return LoadSafetyNetwork(source, {.device = torch::Device(device), .dtype = torch::kFloat32});
  });
  IP2P_RETURN_IF_ERROR(network.status());
  return std::make_unique<Checker>(*std::move(network), source.preprocessing, torch::Device(device));
}

}  // namespace ip2p
