#include "common/checkpoint/compvis_names.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace ip2p {
namespace {

// CompVis -> ours.
constexpr std::pair<const char*, const char*> kUNetLayers[] = {
    {"time_embed.0", "time_embedding.linear_1"},
    {"time_embed.2", "time_embedding.linear_2"},
    {"input_blocks.0.0", "conv_in"},
    {"out.0", "conv_norm_out"},
    {"out.2", "conv_out"},
};

constexpr std::pair<const char*, const char*> kUNetResnet[] = {
    {"in_layers.0", "norm1"},  {"in_layers.2", "conv1"},  {"emb_layers.1", "time_emb_proj"},
    {"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"},
};

constexpr std::pair<const char*, const char*> kVaeLayers[] = {
    {"encoder.conv_in", "encoder.conv_in"},
    {"encoder.norm_out", "encoder.conv_norm_out"},
    {"encoder.conv_out", "encoder.conv_out"},
    {"decoder.conv_in", "decoder.conv_in"},
    {"decoder.norm_out", "decoder.conv_norm_out"},
    {"decoder.conv_out", "decoder.conv_out"},
    {"quant_conv", "quant_conv"},
    {"post_quant_conv", "post_quant_conv"},
};

constexpr std::pair<const char*, const char*> kVaeResnet[] = {
    {"norm1", "norm1"},
    {"conv1", "conv1"},
    {"norm2", "norm2"},
    {"conv2", "conv2"},
    {"nin_shortcut", "conv_shortcut"},
};

constexpr std::pair<const char*, const char*> kVaeAttention[] = {
    {"norm", "group_norm"}, {"q", "to_q"}, {"k", "to_k"}, {"v", "to_v"}, {"proj_out", "to_out.0"},
};

constexpr std::pair<const char*, const char*> kOpenClipLayers[] = {
    {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
    {"token_embedding", "text_model.embeddings.token_embedding"},
    {"ln_final", "text_model.final_layer_norm"},
};

constexpr std::pair<const char*, const char*> kOpenClipBlock[] = {
    {"ln_1", "layer_norm1"}, {"ln_2", "layer_norm2"},   {"attn.out_proj", "self_attn.out_proj"},
    {"mlp.c_fc", "mlp.fc1"}, {"mlp.c_proj", "mlp.fc2"},
};

// Training state and buffers. A trailing dot means everything below.
constexpr const char* kIgnorable[] = {
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "lvlb_weights",
    "logvar",
    "scale_factor",
    "model_ema.decay",
    "model_ema.num_updates",
    "first_stage_model.loss.",
    "first_stage_model.model_ema.",
    "cond_stage_model.transformer.text_model.embeddings.position_ids",
    "cond_stage_model.transformer.embeddings.position_ids",
    "cond_stage_model.logit_scale",
    "cond_stage_model.model.logit_scale",
    "cond_stage_model.model.text_projection",
    "cond_stage_model.model.attn_mask",
};

template <size_t N>
void Append(std::vector<NamePair>& pairs, const std::pair<const char*, const char*> (&table)[N],
            const std::string& theirs = "", const std::string& ours = "") {
  for (const auto& [their_name, our_name] : table) {
    pairs.push_back({absl::StrCat(theirs, their_name), absl::StrCat(ours, our_name)});
  }
}

// One numbered block of the UNet: a resnet and, at some levels, a transformer, whose insides have the same
// names.
void AppendUNetBlock(std::vector<NamePair>& pairs, const std::string& theirs, const std::string& ours,
                     int index, bool attention) {
  Append(pairs, kUNetResnet, theirs + ".0.", absl::StrCat(ours, ".resnets.", index, "."));
  if (attention) pairs.push_back({theirs + ".1", absl::StrCat(ours, ".attentions.", index)});
}

}  // namespace

NameTable UNetNames(const UNetConfig& c) {
  std::vector<NamePair> pairs;
  Append(pairs, kUNetLayers);
  const int levels = static_cast<int>(c.block_out_channels.size());
  int block = 1;  // input_blocks.0 is conv_in
  for (int level = 0; level < levels; ++level) {
    const std::string ours = absl::StrCat("down_blocks.", level);
    for (int i = 0; i < c.layers_per_block[level]; ++i) {
      AppendUNetBlock(pairs, absl::StrCat("input_blocks.", block++), ours, i, c.attention[level]);
    }
    if (level + 1 < levels) {
      pairs.push_back({absl::StrCat("input_blocks.", block++, ".0.op"), ours + ".downsamplers.0.conv"});
    }
  }
  Append(pairs, kUNetResnet, "middle_block.0.", "mid_block.resnets.0.");
  pairs.push_back({"middle_block.1", "mid_block.attentions.0"});
  Append(pairs, kUNetResnet, "middle_block.2.", "mid_block.resnets.1.");
  block = 0;
  for (int level = levels - 1; level >= 0; --level) {
    const std::string ours = absl::StrCat("up_blocks.", levels - 1 - level);
    for (int i = 0; i < c.layers_per_block[level] + 1; ++i) {
      AppendUNetBlock(pairs, absl::StrCat("output_blocks.", block++), ours, i, c.attention[level]);
    }
    if (level > 0) {  // the last module of the level's last block
      pairs.push_back({absl::StrCat("output_blocks.", block - 1, c.attention[level] ? ".2" : ".1", ".conv"),
                       ours + ".upsamplers.0.conv"});
    }
  }
  return NameTable(pairs);
}

NameTable VaeNames(const VaeConfig& c) {
  std::vector<NamePair> pairs;
  Append(pairs, kVaeLayers);
  const int levels = static_cast<int>(c.block_out_channels.size());
  for (int level = 0; level < levels; ++level) {
    // CompVis numbers the decoder's levels by resolution, diffusers in order of execution.
    const std::string down = absl::StrCat("encoder.down.", level, ".");
    const std::string up = absl::StrCat("decoder.up.", level, ".");
    const std::string our_down = absl::StrCat("encoder.down_blocks.", level, ".");
    const std::string our_up = absl::StrCat("decoder.up_blocks.", levels - 1 - level, ".");
    for (int i = 0; i < c.layers_per_block + 1; ++i) {
      const std::string block = absl::StrCat("block.", i, "."), resnet = absl::StrCat("resnets.", i, ".");
      if (i < c.layers_per_block) Append(pairs, kVaeResnet, down + block, our_down + resnet);
      Append(pairs, kVaeResnet, up + block, our_up + resnet);
    }
    if (level + 1 < levels) pairs.push_back({down + "downsample.conv", our_down + "downsamplers.0.conv"});
    if (level > 0) pairs.push_back({up + "upsample.conv", our_up + "upsamplers.0.conv"});
  }
  for (const std::string half : {"encoder", "decoder"}) {
    Append(pairs, kVaeResnet, half + ".mid.block_1.", half + ".mid_block.resnets.0.");
    Append(pairs, kVaeAttention, half + ".mid.attn_1.", half + ".mid_block.attentions.0.");
    Append(pairs, kVaeResnet, half + ".mid.block_2.", half + ".mid_block.resnets.1.");
  }
  return NameTable(pairs);
}

NameTable OpenClipNames(int num_layers) {
  std::vector<NamePair> pairs;
  Append(pairs, kOpenClipLayers);
  for (int i = 0; i < num_layers; ++i) {
    Append(pairs, kOpenClipBlock, absl::StrCat("transformer.resblocks.", i, "."),
           absl::StrCat("text_model.encoder.layers.", i, "."));
  }
  return NameTable(pairs);
}

std::string EmaName(const std::string& name) {
  return absl::StrCat(kEmaPrefix, "diffusion_model", absl::StrReplaceAll(name, {{".", ""}}));
}

bool IsIgnorable(const std::string& name) {
  for (const std::string_view pattern : kIgnorable) {
    if (pattern.ends_with('.') ? name.starts_with(pattern) : name == pattern) return true;
  }
  return false;
}

}  // namespace ip2p
