// See part_probe.h.
#include "common/pipeline/part_probe.h"

#include <torch/types.h>

#include <utility>

#include "common/base/status_macros.h"
#include "common/model/load_network.h"
#include "common/model/vae/vae.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "common/pipeline/torch_options.h"

namespace ip2p {
namespace {

class TorchPartProbe final : public PartProbe {
 public:
  TorchPartProbe(Vae vae, std::unique_ptr<ClipScorer> clip, torch::Device device)
      : vae_(std::move(vae)), clip_(std::move(clip)), device_(device) {}

  absl::StatusOr<Image> Reconstruct(const Image& image) override {
    return CatchTorch("reconstructing a picture", [&]() -> absl::StatusOr<Image> {
      const torch::NoGradGuard no_grad;
      return TensorToImage(vae_->Decode(vae_->EncodeMode(ImageToTensor(image, device_))));
    });
  }

  absl::StatusOr<std::vector<std::vector<double>>> Match(std::span<const Image> pictures,
                                                         const std::vector<std::string>& captions) override {
    return CatchTorch(
        "matching pictures and captions", [&]() -> absl::StatusOr<std::vector<std::vector<double>>> {
          const torch::NoGradGuard no_grad;
          const torch::Tensor texts = clip_->Texts(captions);
          std::vector<std::vector<double>> rows;
          for (const Image& picture : pictures) {
            const torch::Tensor shown = (ImageToTensor(picture, torch::kCPU) + 1) / 2;
            const torch::Tensor row =
                torch::mv(texts, clip_->Images(shown)[0]).to(torch::kFloat64).contiguous();
            rows.emplace_back(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
          }
          return rows;
        });
  }

 private:
  Vae vae_;
  const std::unique_ptr<ClipScorer> clip_;
  const torch::Device device_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartProbe>> PartProbe::Create(const ModelSource& model, const ClipSource& clip,
                                                             const std::string& device) {
  IP2P_ASSIGN_OR_RETURN(const torch::Device parsed, ParseDevice(device));
  IP2P_ASSIGN_OR_RETURN(
      Vae vae, LoadNetwork<Vae>(model.config.vae, model.vae, "vae", {.device = parsed}, Packing::kAlways));
  IP2P_ASSIGN_OR_RETURN(std::unique_ptr<ClipScorer> scorer, ClipScorer::Create(clip, parsed));
  return std::make_unique<TorchPartProbe>(std::move(vae), std::move(scorer), parsed);
}

}  // namespace ip2p
