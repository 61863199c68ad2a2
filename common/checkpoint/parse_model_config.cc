// The reading half of model_config_json.h.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_config_json.h"
#include "common/checkpoint/config_reader.h"
#include "common/checkpoint/model_config_json.h"

namespace ip2p {
namespace {

using nlohmann::json;

constexpr size_t kMaxLevels = 8;
constexpr int kMaxChannels = 1 << 16;

void CheckLevels(ConfigReader& reader, const std::vector<int>& channels, int groups) {
  if (channels.size() > kMaxLevels) {
    reader.Fault("block_out_channels", absl::StrCat("a list of ", channels.size()),
                 absl::StrCat("1..", kMaxLevels));
  }
  for (const int c : channels) {
    if (c % groups != 0) {
      reader.Fault("block_out_channels", absl::StrCat(c),
                   absl::StrCat("a multiple of norm_num_groups ", groups));
    }
  }
}

// Down types give the attention flags; up types must mirror them.
std::vector<bool> AttentionLevels(ConfigReader& reader, size_t levels) {
  const std::vector<std::string> down =
      reader.Texts("down_block_types",
                   {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"});
  const std::vector<std::string> up = reader.Texts(
      "up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"});
  std::vector<bool> attention(levels, false);
  std::vector<std::string> mirror(down.size());
  for (size_t i = 0; i < down.size(); ++i) {
    const bool cross = down[i] == "CrossAttnDownBlock2D";
    if (!cross && down[i] != "DownBlock2D") {
      reader.Fault("down_block_types", reader.FoundText("down_block_types"),
                   "CrossAttnDownBlock2D or DownBlock2D");
      return attention;
    }
    if (i < levels) attention[i] = cross;
    mirror[down.size() - 1 - i] = cross ? "CrossAttnUpBlock2D" : "UpBlock2D";
  }
  if (down.size() != levels) {
    reader.Fault("down_block_types", absl::StrCat("a list of ", down.size()),
                 absl::StrCat(levels, ", one for each of block_out_channels"));
  } else if (up != mirror) {
    reader.Fault("up_block_types", reader.FoundText("up_block_types"), absl::StrJoin(mirror, ", "));
  }
  return attention;
}

// A switch whose only supported position is given.
struct Fixed {
  const char* field;
  json value;
};

const std::vector<Fixed>& FixedUNetFields() {
  static const auto* const fields = new std::vector<Fixed>{
      {"act_fn", "silu"},
      {"attention_type", "default"},
      {"conv_in_kernel", 3},
      {"conv_out_kernel", 3},
      {"downsample_padding", 1},
      {"dropout", 0.0},
      {"mid_block_scale_factor", 1},
      {"mid_block_type", "UNetMidBlock2DCrossAttn"},
      {"resnet_out_scale_factor", 1.0},
      {"resnet_time_scale_shift", "default"},
      {"time_embedding_type", "positional"},
  };
  return *fields;
}

}  // namespace

absl::StatusOr<UNetConfig> ParseUNetConfig(std::string_view text) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, "unet/config.json"));
  UNetConfig c;
  c.in_channels = reader.Int("in_channels", 4, 1, 1024);
  c.out_channels = reader.Int("out_channels", 4, 1, 1024);
  c.block_out_channels = reader.Ints("block_out_channels", {320, 640, 1280, 1280}, 1, kMaxChannels);
  const size_t levels = c.block_out_channels.size();
  c.attention = AttentionLevels(reader, levels);
  c.layers_per_block = reader.IntPerLevel("layers_per_block", 2, levels, 1, 64);
  // diffusers' attention_head_dim is the number of heads, whatever its name says; num_attention_heads wins.
  const std::vector<int> misnamed = reader.IntPerLevel("attention_head_dim", 8, levels, 1, kMaxChannels);
  c.attention_heads = reader.Has("num_attention_heads")
                          ? reader.IntPerLevel("num_attention_heads", 8, levels, 1, kMaxChannels)
                          : misnamed;
  reader.Ignore({"num_attention_heads"});
  for (size_t i = 0; i < levels; ++i) {
    const bool used = c.attention[i] || i + 1 == levels;  // the middle block attends at the last level
    if (used && c.block_out_channels[i] % c.attention_heads[i] != 0) {
      reader.Fault("attention_head_dim", absl::StrCat(c.attention_heads[i], " at level ", i),
                   absl::StrCat("a number of heads that divides ", c.block_out_channels[i]));
    }
  }
  c.cross_attention_dim = reader.SameAtEachLevel("cross_attention_dim", 1280, levels, 1, kMaxChannels);
  c.transformer_layers = reader.SameAtEachLevel("transformer_layers_per_block", 1, levels, 1, 64);
  c.use_linear_projection = reader.Bool("use_linear_projection", false);
  c.norm_num_groups = reader.Int("norm_num_groups", 32, 1, kMaxChannels);
  CheckLevels(reader, c.block_out_channels, c.norm_num_groups);
  c.norm_eps = reader.Number("norm_eps", 1e-5, 1e-12, 1);
  c.flip_sin_to_cos = reader.Bool("flip_sin_to_cos", true);
  c.freq_shift = reader.Number("freq_shift", 0, -16, 16);
  if (c.block_out_channels.front() % 2 != 0) {
    reader.Fault("block_out_channels", absl::StrCat(c.block_out_channels.front()), "an even first number");
  }
  c.sample_size = reader.SameAtEachLevel("sample_size", 64, 2);
  for (const Fixed& fixed : FixedUNetFields()) reader.Require(fixed.field, fixed.value);
  // Numerics of half precision in diffusers, and fields that matter only beside refused ones.
  reader.Ignore({"upcast_attention", "addition_embed_type_num_heads"});
  IP2P_RETURN_IF_ERROR(reader.Finish());
  return c;
}

absl::StatusOr<VaeConfig> ParseVaeConfig(std::string_view text) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, "vae/config.json"));
  VaeConfig c;
  c.in_channels = reader.Int("in_channels", 3, 1, 1024);
  c.out_channels = reader.Int("out_channels", 3, 1, 1024);
  c.latent_channels = reader.Int("latent_channels", 4, 1, 1024);
  c.block_out_channels = reader.Ints("block_out_channels", {64}, 1, kMaxChannels);
  c.layers_per_block = reader.Int("layers_per_block", 1, 1, 64);
  c.norm_num_groups = reader.Int("norm_num_groups", 32, 1, kMaxChannels);
  CheckLevels(reader, c.block_out_channels, c.norm_num_groups);
  c.scaling_factor = reader.Number("scaling_factor", 0.18215, 1e-6, 1e6);
  c.mid_block_attention = reader.Bool("mid_block_add_attention", true);
  c.sample_size = reader.SameAtEachLevel("sample_size", 32, 2);
  const size_t levels = c.block_out_channels.size();
  const std::vector<std::string> down = reader.Texts("down_block_types", {"DownEncoderBlock2D"});
  const std::vector<std::string> up = reader.Texts("up_block_types", {"UpDecoderBlock2D"});
  if (down != std::vector<std::string>(levels, "DownEncoderBlock2D")) {
    reader.Fault("down_block_types", reader.FoundText("down_block_types"),
                 absl::StrCat(levels, " times DownEncoderBlock2D"));
  }
  if (up != std::vector<std::string>(levels, "UpDecoderBlock2D")) {
    reader.Fault("up_block_types", reader.FoundText("up_block_types"),
                 absl::StrCat(levels, " times UpDecoderBlock2D"));
  }
  reader.Require("act_fn", "silu");
  reader.Require("use_quant_conv", true);
  reader.Require("use_post_quant_conv", true);
  reader.Require("shift_factor", 0.0);
  reader.Ignore({"force_upcast"});  // half precision in diffusers
  IP2P_RETURN_IF_ERROR(reader.Finish());
  return c;
}

absl::StatusOr<TextEncoderConfig> ParseTextEncoderConfig(std::string_view text) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, "text_encoder/config.json"));
  TextEncoderConfig c = ReadTextTower(reader);
  // Training-time settings, the projection that this encoder does not have, and ids that the tokenizer
  // decides.
  reader.Ignore({"architectures", "attention_dropout", "bos_token_id", "dropout", "dtype", "eos_token_id",
                 "initializer_factor", "initializer_range", "pad_token_id", "projection_dim", "torch_dtype",
                 "transformers_version"});
  IP2P_RETURN_IF_ERROR(reader.Finish());
  return c;
}

absl::StatusOr<SchedulerConfig> ParseSchedulerConfig(std::string_view text) {
  IP2P_ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Parse(text, "scheduler/scheduler_config.json"));
  SchedulerConfig c;
  c.num_train_timesteps = reader.Int("num_train_timesteps", 1000, 2, 1 << 20);
  c.beta_start = reader.Number("beta_start", 0.0001, 0, 1);
  c.beta_end = reader.Number("beta_end", 0.02, 0, 1);
  const std::string schedule = reader.Text("beta_schedule", "linear");
  if (schedule != "scaled_linear" && schedule != "linear") {
    reader.Fault("beta_schedule", reader.FoundText("beta_schedule"), "scaled_linear or linear");
  }
  c.scaled_linear = schedule == "scaled_linear";
  const std::string prediction = reader.Text("prediction_type", "epsilon");
  if (prediction != "epsilon" && prediction != "v_prediction") {
    reader.Fault("prediction_type", reader.FoundText("prediction_type"), "epsilon or v_prediction");
  }
  c.prediction = prediction == "epsilon" ? PredictionType::kEpsilon : PredictionType::kVPrediction;
  c.steps_offset = reader.Int("steps_offset", 0, 0, 1000);
  const bool ddim = reader.Text("_class_name", "") == "DDIMScheduler";
  c.set_alpha_to_one = reader.Bool("set_alpha_to_one", ddim);  // diffusers' default differs by class
  // A schedule of another shape than start, end and kind.
  for (const char* field : {"trained_betas", "rescale_betas_zero_snr"}) {
    if (reader.Has(field)) reader.Fault(field, reader.FoundText(field), "null or false");
  }
  // Which sampler runs, and its settings, is the request's choice.
  IP2P_RETURN_IF_ERROR(reader.Finish(ConfigReader::UnknownFields::kIgnore));
  return c;
}

}  // namespace ip2p
