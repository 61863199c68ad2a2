// See clip_scorer.h.
#include "common/pipeline/clip_scorer.h"

#include <array>
#include <utility>

#include "common/base/status_macros.h"
#include "common/model/clip/clip.h"
#include "common/pipeline/catch_torch.h"

namespace ip2p {
namespace {

torch::Tensor Unit(const torch::Tensor& features) {
  const torch::Tensor f = features.to(torch::kFloat32);
  return f / f.norm(2, /*dim=*/1, /*keepdim=*/true);
}

torch::Tensor PerChannel(const std::array<float, 3>& values, torch::Device device) {
  return torch::tensor(c10::ArrayRef<float>(values)).view({1, 3, 1, 1}).to(device);
}

class Scorer final : public ClipScorer {
 public:
  Scorer(LoadedClip clip, const ClipPreprocessing& preprocessing, torch::Device device,
         torch::ScalarType dtype)
      : clip_(std::move(clip)),
        device_(device),
        dtype_(dtype),
        mean_(PerChannel(preprocessing.mean, device)),
        std_(PerChannel(preprocessing.std, device)) {}

  torch::Tensor Texts(const std::vector<std::string>& texts) override {
    const torch::NoGradGuard no_grad;
    std::vector<torch::Tensor> features;
    features.reserve(texts.size());
    for (const std::string& text : texts) {
      const std::vector<int64_t> ids = clip_.tokenizer->Encode(text).ids;
      features.push_back(
          Unit(clip_.network->TextFeatures(torch::tensor(ids).unsqueeze(0).to(device_))).cpu());
    }
    return torch::cat(features);
  }

  torch::Tensor Images(const torch::Tensor& images) override {
    const torch::NoGradGuard no_grad;
    const int64_t size = clip_.config.vision.image_size;
    std::vector<torch::Tensor> features;
    features.reserve(images.size(0));
    for (int64_t i = 0; i < images.size(0); ++i) {
      const torch::Tensor image = images.narrow(0, i, 1).to(device_, torch::kFloat32).contiguous();
      const torch::Tensor fitted = at::upsample_bicubic2d(image, {size, size}, /*align_corners=*/false);
      const torch::Tensor input = ((fitted - mean_) / std_).to(dtype_);
      features.push_back(Unit(clip_.network->ImageFeatures(input)).cpu());
    }
    return torch::cat(features);
  }

 private:
  LoadedClip clip_;
  const torch::Device device_;
  const torch::ScalarType dtype_;
  const torch::Tensor mean_, std_;  // [1,3,1,1] float32
};

}  // namespace

absl::StatusOr<std::unique_ptr<ClipScorer>> ClipScorer::Create(const ClipSource& source, torch::Device device,
                                                               torch::ScalarType dtype) {
  auto loaded =
      CatchTorch("loading CLIP", [&] { return LoadClip(source, {.device = device, .dtype = dtype}); });
  IP2P_RETURN_IF_ERROR(loaded.status());
  return std::make_unique<Scorer>(*std::move(loaded), source.preprocessing, device, dtype);
}

double Cosine(const torch::Tensor& a, const torch::Tensor& b) {
  return torch::cosine_similarity(a, b, /*dim=*/0).item<double>();
}

ClipScores ScoresOf(const torch::Tensor& image_0, const torch::Tensor& image_1, const torch::Tensor& text_0,
                    const torch::Tensor& text_1) {
  return {.sim_0 = Cosine(image_0, text_0),
          .sim_1 = Cosine(image_1, text_1),
          .sim_dir = Cosine(image_1 - image_0, text_1 - text_0),
          .sim_image = Cosine(image_0, image_1)};
}

}  // namespace ip2p
