// What a Stable Diffusion checkpoint is, as data: the fields of diffusers' config.json files that change the
// computation, in our own names. Defaults are SD 1.5 with InstructPix2Pix's 8-channel UNet. No torch here.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace ip2p {

// unet/config.json (UNet2DConditionModel). Level 0 is the full latent resolution; vectors have one entry a
// level, in the order of the down path (up_attention is reversed from diffusers' up_block_types to match).
struct UNetConfig {
  int in_channels = 8;
  int out_channels = 4;
  std::vector<int> block_out_channels = {320, 640, 1280, 1280};
  std::vector<bool> attention = {true, true, true, false};  // CrossAttnDownBlock2D / CrossAttnUpBlock2D
  std::vector<int> layers_per_block = {2, 2, 2, 2};         // the up path has one more
  std::vector<int> attention_heads = {8, 8, 8, 8};          // diffusers calls this attention_head_dim
  int cross_attention_dim = 768;
  int transformer_layers = 1;
  bool use_linear_projection = false;  // SD 2.x: proj_in / proj_out are linear
  int norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  int sample_size = 64;

  bool operator==(const UNetConfig&) const = default;
};

// vae/config.json (AutoencoderKL).
struct VaeConfig {
  int in_channels = 3;
  int out_channels = 3;
  int latent_channels = 4;
  std::vector<int> block_out_channels = {128, 256, 512, 512};
  int layers_per_block = 2;  // the decoder has one more
  int norm_num_groups = 32;
  double scaling_factor = 0.18215;
  bool mid_block_attention = true;
  int sample_size = 512;

  int downscale() const { return 1 << (static_cast<int>(block_out_channels.size()) - 1); }
  bool operator==(const VaeConfig&) const = default;
};

// text_encoder/config.json (CLIPTextModel) with the tokenizer facts that decide its input ids.
struct TextEncoderConfig {
  int vocab_size = 49408;
  int hidden_size = 768;
  int intermediate_size = 3072;
  int num_layers = 12;
  int num_heads = 12;
  int max_positions = 77;
  bool quick_gelu = true;  // false: exact gelu (OpenCLIP towers of SD 2.x)
  double layer_norm_eps = 1e-5;
  int bos_token_id = 49406;
  int eos_token_id = 49407;
  int pad_token_id = 49407;  // SD 2.x pads with 0 ("!")

  bool operator==(const TextEncoderConfig&) const = default;
};

enum class PredictionType { kEpsilon, kVPrediction };

// scheduler/scheduler_config.json: the training noise schedule.
struct SchedulerConfig {
  int num_train_timesteps = 1000;
  double beta_start = 0.00085;
  double beta_end = 0.0120;
  bool scaled_linear = true;  // false: linear betas
  PredictionType prediction = PredictionType::kEpsilon;
  int steps_offset = 1;           // ddim only
  bool set_alpha_to_one = false;  // ddim only

  bool operator==(const SchedulerConfig&) const = default;
};

struct ModelConfig {
  UNetConfig unet;
  VaeConfig vae;
  TextEncoderConfig text_encoder;
  SchedulerConfig scheduler;

  // The side in px of the pictures that the UNet was trained on, as its sample_size tells: 512 for SD 1.x. A
  // multiple of 64 of at least 64.
  int native_resolution() const { return std::max(1, unet.sample_size * vae.downscale() / 64) * 64; }

  bool operator==(const ModelConfig&) const = default;
};

}  // namespace ip2p
