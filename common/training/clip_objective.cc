// See clip_objective.h.
#include "common/training/clip_objective.h"

#include <cmath>

#include "common/base/status_macros.h"
#include "common/training/autocast.h"
#include "common/training/batch_tensors.h"

namespace ip2p {
namespace {

torch::Tensor Unit(const torch::Tensor& features) {
  const torch::Tensor x = features.to(torch::kFloat32);
  return x / x.norm(2, /*dim=*/1, /*keepdim=*/true);
}

torch::Tensor PerChannel(const std::array<float, 3>& values, torch::Device device) {
  return torch::tensor(c10::ArrayRef<float>(values.data(), values.size())).view({1, 3, 1, 1}).to(device);
}

}  // namespace

ClipObjective::ClipObjective(const ClipSource& source, const ObjectiveOptions& options)
    : config_(source.config),
      options_(options),
      mean_(PerChannel(source.preprocessing.mean, options.device)),
      spread_(PerChannel(source.preprocessing.std, options.device)) {}

absl::StatusOr<std::unique_ptr<ClipObjective>> ClipObjective::Create(const ClipSource& source,
                                                                     const ObjectiveOptions& options) {
  std::unique_ptr<ClipObjective> made(new ClipObjective(source, options));
  IP2P_ASSIGN_OR_RETURN(
      LoadedClip loaded,
      LoadClip(source, {.device = options.device, .dtype = torch::kFloat32, .pack = false}));
  made->clip_ = loaded.network;
  made->clip_->set_recompute(options.recompute);
  made->tokenizer_ = std::move(loaded.tokenizer);
  made->logit_scale_ = made->clip_->named_parameters(/*recurse=*/false)["logit_scale"];
  return made;
}

std::vector<LearnedParameter> ClipObjective::Parameters() {
  std::vector<LearnedParameter> all;
  AppendParameters("clip.", *clip_, options_.shadows(), all);
  return all;
}

TrainBatch ClipObjective::MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) {
  std::vector<std::string> texts;
  for (const Example& example : examples) texts.push_back(example.text);
  torch::Tensor pictures = PictureTensor(examples, &Example::after, options_.device);
  const int64_t side = config_.vision.image_size;
  if (pictures.size(2) != side)
    pictures = torch::upsample_bicubic2d(pictures, {side, side}, /*align_corners=*/false);
  return {.seeds = std::move(seeds),
          .after = ((pictures + 1) / 2 - mean_) / spread_,
          .ids = TokenIds(*tokenizer_, texts, options_.device)};
}

torch::Tensor ClipObjective::Loss(const TrainBatch& batch) {
  torch::Tensor images, texts;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    images = clip_->ImageFeatures(batch.after);
    texts = clip_->TextFeatures(batch.ids);
  }
  const torch::Tensor logits = logit_scale_.exp() * torch::mm(Unit(images), Unit(texts).t());
  const torch::Tensor own = torch::arange(logits.size(0), batch.ids.options());
  return (torch::cross_entropy_loss(logits, own) + torch::cross_entropy_loss(logits.t(), own)) / 2;
}

void ClipObjective::AfterUpdate() {
  const torch::NoGradGuard no_grad;
  logit_scale_.clamp_(/*min=*/c10::nullopt, std::log(100.0));
}

}  // namespace ip2p
