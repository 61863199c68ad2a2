// Fresh weights from configs and a seed. See train_start.h.
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/diffusers_folder.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/weight_files.h"
#include "common/object_store/local_copy.h"
#include "common/training/parameter_set.h"
#include "common/training/train_start.h"

namespace ip2p {
namespace {

// Draws tensors one after another, in the order of their names, so that a seed means one model.
class Initialiser {
 public:
  explicit Initialiser(uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

  torch::Tensor Uniform(at::IntArrayRef shape, double bound) {
    return torch::empty(shape).uniform_(-bound, bound, generator_);
  }
  torch::Tensor Normal(at::IntArrayRef shape, double spread) {
    return torch::empty(shape).normal_(0, spread, generator_);
  }

 private:
  at::Generator generator_;
};

int64_t FanIn(const std::vector<int64_t>& weight) {
  int64_t product = 1;
  for (size_t i = 1; i < weight.size(); ++i) product *= weight[i];
  return product;
}

// torch's own: matrices and kernels uniform within 1 / sqrt(fan in), biases within the same, norms identity.
torch::Tensor DiffusersTensor(const std::string& name, const ShapeMap& shapes, Initialiser& random) {
  const std::vector<int64_t>& shape = shapes.at(name);
  if (shape.size() > 1) return random.Uniform(shape, 1 / std::sqrt(static_cast<double>(FanIn(shape))));
  const bool bias = absl::EndsWith(name, ".bias");
  if (!bias) return torch::ones(shape);  // of a norm
  const std::vector<int64_t>& weight = shapes.at(std::string(absl::StripSuffix(name, "bias")) + "weight");
  if (weight.size() == 1) return torch::zeros(shape);
  return random.Uniform(shape, 1 / std::sqrt(static_cast<double>(FanIn(weight))));
}

// transformers' CLIPPreTrainedModel._init_weights, whose factor is 1.
torch::Tensor ClipTensor(const std::string& name, const std::vector<int64_t>& shape, const ClipConfig& config,
                         Initialiser& random) {
  const bool vision = absl::StartsWith(name, "vision_model.") || absl::StartsWith(name, "visual_");
  const double hidden = vision ? config.vision.hidden_size : config.text.hidden_size;
  const double layers = vision ? config.vision.num_layers : config.text.num_layers;
  const auto named = [&](const char* part) { return absl::StrContains(name, part); };
  if (name == "logit_scale") return torch::full(shape, 2.6592);
  if (absl::EndsWith(name, ".bias")) return torch::zeros(shape);
  if (named("norm") || named("layrnorm")) return torch::ones(shape);
  if (named("class_embedding")) return random.Normal(shape, 1 / std::sqrt(hidden));
  if (named("embedding")) return random.Normal(shape, 0.02);
  if (named("out_proj") || named("_projection")) return random.Normal(shape, 1 / std::sqrt(hidden));
  if (named(".fc1.")) return random.Normal(shape, 1 / std::sqrt(2 * hidden));
  return random.Normal(shape, 1 / std::sqrt(hidden) / std::sqrt(2 * layers));  // q, k, v, fc2
}

// A text encoder that learns with a UNet from nothing: words that differ as much as anything can, and layers
// that add nothing yet. Drawn as CLIP's, all words look alike to the UNet for long
// (deploy/models/shapes/README.md).
torch::Tensor TextTensor(const std::string& name, const std::vector<int64_t>& shape, const ClipConfig& config,
                         Initialiser& random) {
  const auto ends = [&](const char* part) { return absl::EndsWith(name, part); };
  if (ends(".token_embedding.weight")) return random.Normal(shape, 1);
  if (ends(".position_embedding.weight")) return random.Normal(shape, 0.2);
  if (ends(".out_proj.weight") || ends(".fc2.weight")) return torch::zeros(shape);
  return ClipTensor(name, shape, config, random);
}

using Draw = std::function<torch::Tensor(const std::string& name, Initialiser& random)>;

TensorMap DrawAll(const ShapeMap& shapes, uint64_t seed, const Draw& draw) {
  Initialiser random(seed);
  TensorMap all;
  for (const auto& [name, shape] : shapes) all.emplace(name, ToTensorView(draw(name, random)));
  return all;
}

// As transformers' CLIPTextModel does where a whole CLIP lies: Stable Diffusion's text encoder is a CLIP's.
void KeepTextTower(TensorMap& tensors) {
  if (!tensors.contains("logit_scale")) return;
  std::erase_if(tensors, [](const auto& tensor) { return !absl::StartsWith(tensor.first, "text_model."); });
}

// Draws the layers behind those of a text encoder of fewer: what learned words without layers goes on with
// some. What else is missing, a layer between others or a part of one, stays for CheckTensors to refuse.
void DrawLayers(TensorMap& tensors, const ShapeMap& shapes, uint64_t seed, const Draw& draw) {
  // -1: of no layer.
  const auto layer_of = [](absl::string_view name) {
    int layer = -1;
    const bool found = absl::ConsumePrefix(&name, "text_model.encoder.layers.") &&
                       absl::SimpleAtoi(name.substr(0, name.find('.')), &layer);
    return found ? layer : -1;
  };
  std::set<int> present;
  for (const auto& [name, tensor] : tensors) present.insert(layer_of(name));
  present.erase(-1);
  Initialiser random(seed);
  TensorMap drawn;
  for (const auto& [name, shape] : shapes) {
    if (layer_of(name) >= static_cast<int>(present.size()))
      drawn.emplace(name, ToTensorView(draw(name, random)));
  }
  tensors.merge(drawn);
}

// The part's own weights where it has some, else fresh ones.
absl::StatusOr<TensorMap> TakeOrDraw(const std::string& folder, const std::string& part, const char* stem,
                                     const char* bin_stem, const ShapeMap& shapes, uint64_t seed,
                                     const Draw& draw) {
  absl::StatusOr<TensorMap> found = ReadWeights(folder, part, stem, bin_stem);
  if (absl::IsNotFound(found.status())) return DrawAll(shapes, seed, draw);
  IP2P_RETURN_IF_ERROR(found.status());
  if (part == "text_encoder") {
    KeepTextTower(*found);
    DrawLayers(*found, shapes, seed, draw);
  }
  IP2P_RETURN_IF_ERROR(CheckTensors(part, shapes, *found));
  return found;
}

absl::StatusOr<ClipSource> FreshClip(const std::string& path, uint64_t seed) {
  IP2P_ASSIGN_OR_RETURN(ClipSource source, ReadClipConfigs(path));
  const ShapeMap shapes = ClipTensors(source.config);
  const auto draw = [&](const std::string& name, Initialiser& random) {
    return ClipTensor(name, shapes.at(name), source.config, random);
  };
  IP2P_ASSIGN_OR_RETURN(source.tensors,
                        TakeOrDraw(path, ".", "model", "pytorch_model", shapes, MixSeed(seed, 4), draw));
  return source;
}

absl::StatusOr<ModelSource> FreshModel(const std::string& path, uint64_t seed) {
  IP2P_ASSIGN_OR_RETURN(ModelSource source, ReadDiffusersConfigs(path, /*with_vae=*/true));
  constexpr char kWeights[] = "diffusion_pytorch_model";
  const auto diffusers = [&](const ShapeMap& shapes) {
    return [&shapes](const std::string& name, Initialiser& random) {
      return DiffusersTensor(name, shapes, random);
    };
  };
  const ShapeMap unet_shapes = UNetTensors(source.config.unet), vae_shapes = VaeTensors(source.config.vae);
  IP2P_ASSIGN_OR_RETURN(source.unet, TakeOrDraw(path, "unet", kWeights, kWeights, unet_shapes,
                                                MixSeed(seed, 1), diffusers(unet_shapes)));
  IP2P_ASSIGN_OR_RETURN(source.vae, TakeOrDraw(path, "vae", kWeights, kWeights, vae_shapes, MixSeed(seed, 2),
                                               diffusers(vae_shapes)));
  const ShapeMap text_shapes = TextEncoderTensors(source.config.text_encoder);
  const ClipConfig clip{.text = source.config.text_encoder};
  const auto draw_text = [&](const std::string& name, Initialiser& random) {
    return TextTensor(name, text_shapes.at(name), clip, random);
  };
  IP2P_ASSIGN_OR_RETURN(source.text_encoder, TakeOrDraw(path, "text_encoder", "model", "pytorch_model",
                                                        text_shapes, MixSeed(seed, 3), draw_text));
  return source;
}

}  // namespace

absl::StatusOr<TrainStart> FreshStart(const std::string& named, const TrainConfig& config) {
  IP2P_ASSIGN_OR_RETURN(const std::string path, LocalPath(named));
  TrainStart start;
  if (config.objective == TrainObjective::kClip) {
    IP2P_ASSIGN_OR_RETURN(start.clip, FreshClip(path, config.seed));
    return start;
  }
  IP2P_ASSIGN_OR_RETURN(start.model, FreshModel(path, config.seed));
  const ModelConfig& model = start.model.config;
  if (config.objective == TrainObjective::kInstructPix2Pix &&
      model.unet.in_channels == model.vae.latent_channels)
    IP2P_RETURN_IF_ERROR(WidenInput(start.model));
  return start;
}

}  // namespace ip2p
