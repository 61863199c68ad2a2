// The writing half of model_config_json.h.
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/checkpoint/model_config_json.h"

namespace ip2p {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDiffusersVersion = "0.42.0";  // the version whose fields these are

std::string Text(const Json& json) { return json.dump(2) + "\n"; }

// One number where all are equal, as diffusers' own files have it.
Json OneOrList(const std::vector<int>& values) {
  for (const int value : values) {
    if (value != values.front()) return values;
  }
  return values.front();
}

}  // namespace

std::string UNetConfigJson(const UNetConfig& c) {
  const size_t levels = c.attention.size();
  std::vector<std::string> down, up;
  for (size_t i = 0; i < levels; ++i) {
    down.push_back(c.attention[i] ? "CrossAttnDownBlock2D" : "DownBlock2D");
    up.push_back(c.attention[levels - 1 - i] ? "CrossAttnUpBlock2D" : "UpBlock2D");
  }
  return Text({{"_class_name", "UNet2DConditionModel"},
               {"_diffusers_version", kDiffusersVersion},
               {"act_fn", "silu"},
               {"attention_head_dim", OneOrList(c.attention_heads)},
               {"block_out_channels", c.block_out_channels},
               {"center_input_sample", false},
               {"cross_attention_dim", c.cross_attention_dim},
               {"down_block_types", down},
               {"downsample_padding", 1},
               {"flip_sin_to_cos", c.flip_sin_to_cos},
               {"freq_shift", c.freq_shift},
               {"in_channels", c.in_channels},
               {"layers_per_block", OneOrList(c.layers_per_block)},
               {"mid_block_scale_factor", 1},
               {"norm_eps", c.norm_eps},
               {"norm_num_groups", c.norm_num_groups},
               {"out_channels", c.out_channels},
               {"sample_size", c.sample_size},
               {"transformer_layers_per_block", c.transformer_layers},
               {"up_block_types", up},
               // 64-wide heads overflow half precision in diffusers unless it is told to upcast.
               {"upcast_attention", c.use_linear_projection},
               {"use_linear_projection", c.use_linear_projection}});
}

std::string VaeConfigJson(const VaeConfig& c) {
  const size_t levels = c.block_out_channels.size();
  return Text({{"_class_name", "AutoencoderKL"},
               {"_diffusers_version", kDiffusersVersion},
               {"act_fn", "silu"},
               {"block_out_channels", c.block_out_channels},
               {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
               {"in_channels", c.in_channels},
               {"latent_channels", c.latent_channels},
               {"layers_per_block", c.layers_per_block},
               {"mid_block_add_attention", c.mid_block_attention},
               {"norm_num_groups", c.norm_num_groups},
               {"out_channels", c.out_channels},
               {"sample_size", c.sample_size},
               {"scaling_factor", c.scaling_factor},
               {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")}});
}

std::string TextEncoderConfigJson(const TextEncoderConfig& c) {
  return Text({{"architectures", {"CLIPTextModel"}},
               {"attention_dropout", 0.0},
               // The published files' values, which transformers understands as "the last token is the end".
               {"bos_token_id", 0},
               {"dropout", 0.0},
               {"eos_token_id", 2},
               {"hidden_act", c.quick_gelu ? "quick_gelu" : "gelu"},
               {"hidden_size", c.hidden_size},
               {"initializer_factor", 1.0},
               {"initializer_range", 0.02},
               {"intermediate_size", c.intermediate_size},
               {"layer_norm_eps", c.layer_norm_eps},
               {"max_position_embeddings", c.max_positions},
               {"model_type", "clip_text_model"},
               {"num_attention_heads", c.num_heads},
               {"num_hidden_layers", c.num_layers},
               {"pad_token_id", 1},
               {"projection_dim", c.hidden_size},
               {"vocab_size", c.vocab_size}});
}

std::string SchedulerConfigJson(const SchedulerConfig& c) {
  return Text({{"_class_name", "EulerAncestralDiscreteScheduler"},
               {"_diffusers_version", kDiffusersVersion},
               {"beta_end", c.beta_end},
               {"beta_schedule", c.scaled_linear ? "scaled_linear" : "linear"},
               {"beta_start", c.beta_start},
               {"num_train_timesteps", c.num_train_timesteps},
               {"prediction_type", c.prediction == PredictionType::kEpsilon ? "epsilon" : "v_prediction"},
               {"set_alpha_to_one", c.set_alpha_to_one},
               {"steps_offset", c.steps_offset},
               {"timestep_spacing", "linspace"},
               {"trained_betas", nullptr}});
}

}  // namespace ip2p
