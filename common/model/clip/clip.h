// CLIP (transformers' CLIPModel): images and texts to features of one space. And the network of a safety
// checker, which compares image features with concepts. No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/clip/vision_tower.h"
#include "common/model/load_network.h"
#include "common/model/tokenizer/tokenizer.h"

namespace ip2p {

class ClipImpl : public torch::nn::Module {
 public:
  explicit ClipImpl(const ClipConfig& config);
  // ids [N,L] int64 as the tokenizer gives them -> [N,projection_dim], of any length.
  torch::Tensor TextFeatures(const torch::Tensor& ids) const;
  // images [N,3,S,S], normalised, in the weights' type -> [N,projection_dim], of any length.
  torch::Tensor ImageFeatures(const torch::Tensor& images) const;

  // Gradient checkpointing, for training; not for inference.
  void set_recompute(bool recompute) { recompute_ = recompute; }

 private:
  std::optional<int> pooled_token_;
  ClipTextTower text_model_;
  ClipVisionTower vision_model_;
  Linear text_projection_, visual_projection_;
  bool recompute_ = false;
};
TORCH_MODULE(Clip);

// diffusers' StableDiffusionSafetyChecker.
class SafetyNetworkImpl : public torch::nn::Module {
 public:
  explicit SafetyNetworkImpl(const ClipConfig& config);
  // How far each picture is beyond each concept's threshold: cosine - threshold, float32.
  struct Excess {
    torch::Tensor special;   // [N,3]
    torch::Tensor concepts;  // [N,17]
  };
  Excess forward(const torch::Tensor& images) const;  // [N,3,S,S], normalised, in the weights' type

 private:
  ClipVisionTower vision_model_;
  Linear visual_projection_;
  torch::Tensor concepts_, concept_thresholds_;  // [17,d], [17]
  torch::Tensor special_, special_thresholds_;   // [3,d], [3]
};
TORCH_MODULE(SafetyNetwork);

struct LoadedClip {
  ClipConfig config;
  Clip network{nullptr};
  std::unique_ptr<const Tokenizer> tokenizer;
};

// Strict both ways, as LoadStableDiffusion; DATA_LOSS on NaN or infinite weights.
absl::StatusOr<LoadedClip> LoadClip(const ClipSource& source, const LoadOptions& options);
absl::StatusOr<SafetyNetwork> LoadSafetyNetwork(const SafetyCheckerSource& source,
                                                const LoadOptions& options);

}  // namespace ip2p
