// See clip.h.
#include "common/model/clip/clip.h"

#include "common/base/status_macros.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/model/process_memory.h"

namespace ip2p {
namespace {

Linear Projection(int in, int out) { return Linear(in, out, /*bias=*/false); }

torch::Tensor Cosines(const torch::Tensor& features, const torch::Tensor& concepts) {
  const auto unit = [](const torch::Tensor& x) {
    return x / x.norm(2, /*dim=*/1, /*keepdim=*/true).clamp_min(1e-12);
  };
  return torch::mm(unit(features), unit(concepts).t()).to(torch::kFloat32);
}

}  // namespace

ClipImpl::ClipImpl(const ClipConfig& c)
    : pooled_token_(c.pooled_token),
      text_model_(register_module("text_model", ClipTextTower(c.text))),
      vision_model_(register_module("vision_model", ClipVisionTower(c.vision))),
      text_projection_(register_module("text_projection", Projection(c.text.hidden_size, c.projection_dim))),
      visual_projection_(
          register_module("visual_projection", Projection(c.vision.hidden_size, c.projection_dim))) {
  register_parameter("logit_scale", torch::empty({}));  // of its training loss; cosines need none
}

torch::Tensor ClipImpl::TextFeatures(const torch::Tensor& ids) const {
  const torch::Tensor states = text_model_->forward(ids, recompute_);
  // argmax gives the first of equals.
  const torch::Tensor place =
      (pooled_token_.has_value() ? (ids == *pooled_token_).to(torch::kInt32) : ids).argmax(/*dim=*/1);
  const torch::Tensor rows = torch::arange(ids.size(0), place.options());
  return text_projection_->forward(states.index({rows, place}));
}

torch::Tensor ClipImpl::ImageFeatures(const torch::Tensor& images) const {
  return visual_projection_->forward(vision_model_->forward(images, recompute_));
}

SafetyNetworkImpl::SafetyNetworkImpl(const ClipConfig& c)
    : vision_model_(register_module("vision_model", ClipVisionTower(c.vision))),
      visual_projection_(
          register_module("visual_projection", Projection(c.vision.hidden_size, c.projection_dim))),
      concepts_(register_parameter("concept_embeds", torch::empty({kUnsafeConcepts, c.projection_dim}))),
      concept_thresholds_(register_parameter("concept_embeds_weights", torch::empty({kUnsafeConcepts}))),
      special_(register_parameter("special_care_embeds", torch::empty({kSpecialConcepts, c.projection_dim}))),
      special_thresholds_(
          register_parameter("special_care_embeds_weights", torch::empty({kSpecialConcepts}))) {}

SafetyNetworkImpl::Excess SafetyNetworkImpl::forward(const torch::Tensor& images) const {
  const torch::Tensor features = visual_projection_->forward(vision_model_->forward(images));
  return {.special = Cosines(features, special_) - special_thresholds_.to(torch::kFloat32),
          .concepts = Cosines(features, concepts_) - concept_thresholds_.to(torch::kFloat32)};
}

absl::StatusOr<LoadedClip> LoadClip(const ClipSource& source, const LoadOptions& options) {
  const torch::NoGradGuard no_grad;
  LoadedClip clip{.config = source.config};
  IP2P_ASSIGN_OR_RETURN(clip.network, LoadNetwork<Clip>(source.config, source.tensors, "clip", options,
                                                        Packing::kUnlessShared));
  IP2P_ASSIGN_OR_RETURN(clip.tokenizer,
                        source.vocab_json.empty()
                            ? Tokenizer::CreateStandard(source.config.text)
                            : Tokenizer::Create(source.vocab_json, source.merges_txt, source.config.text));
  TrimHeap();
  return clip;
}

absl::StatusOr<SafetyNetwork> LoadSafetyNetwork(const SafetyCheckerSource& source,
                                                const LoadOptions& options) {
  const torch::NoGradGuard no_grad;
  return LoadNetwork<SafetyNetwork>(source.config, source.tensors, "safety_checker", options,
                                    Packing::kUnlessShared);
}

}  // namespace ip2p
