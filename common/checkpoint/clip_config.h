// What a CLIP checkpoint is, as data: the fields of transformers' CLIPConfig and of its image processor that
// change the computation, in our own names. Defaults are transformers'. No torch here.
#pragma once

#include <array>
#include <optional>

#include "common/checkpoint/model_config.h"

namespace ip2p {

// vision_config (CLIPVisionConfig): a square of RGB pixels cut into square patches.
struct ClipVisionConfig {
  int hidden_size = 768;
  int intermediate_size = 3072;
  int num_layers = 12;
  int num_heads = 12;
  int image_size = 224;  // side in px
  int patch_size = 32;   // side in px; what is left over at the right and bottom is not seen
  bool quick_gelu = true;
  double layer_norm_eps = 1e-5;

  int patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  bool operator==(const ClipVisionConfig&) const = default;
};

struct ClipConfig {
  TextEncoderConfig text;
  ClipVisionConfig vision;
  int projection_dim = 512;  // width of the features that images and texts share
  // The first place with this token stands for the text. Nothing: the place of the highest id, which is what
  // configs with the false eos_token_id 2 mean.
  std::optional<int> pooled_token = 49407;

  bool operator==(const ClipConfig&) const = default;
};

// How an 8-bit picture becomes the tower's input (CLIPImageProcessor): bicubic to a short side, centre crop,
// then (x / 255 - mean) / std.
struct ClipPreprocessing {
  int shortest_edge = 224;  // px
  int crop_size = 224;      // px
  std::array<float, 3> mean = {0.48145466F, 0.4578275F, 0.40821073F};
  std::array<float, 3> std = {0.26862954F, 0.26130258F, 0.27577711F};

  bool operator==(const ClipPreprocessing&) const = default;
};

}  // namespace ip2p
