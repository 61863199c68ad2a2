#include "common/checkpoint/compvis_convert.h"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checkpoint/compvis_names.h"
#include "common/checkpoint/tensor_copy.h"

namespace ip2p {
namespace {

constexpr std::array<const char*, 3> kProjections = {"q_proj", "k_proj", "v_proj"};

bool IsVaeProjection(std::string_view name) {
  return name.find(".mid_block.attentions.0.to_") != name.npos && name.ends_with(".weight");
}

// [3 x hidden, ...] -> three views of [hidden, ...].
std::array<TensorView, 3> SplitRows(const TensorView& joint) {
  std::array<TensorView, 3> parts = {joint, joint, joint};
  const size_t bytes = joint.data.size() / 3;
  for (size_t i = 0; i < 3; ++i) {
    parts[i].shape[0] = joint.shape[0] / 3;
    parts[i].data = joint.data.subspan(i * bytes, bytes);
  }
  return parts;
}

struct BlockName {
  int index = 0;
  std::string_view rest;
};

// "transformer.resblocks.7.attn.in_proj_weight" -> 7, "attn.in_proj_weight".
std::optional<BlockName> OpenClipBlock(std::string_view name) {
  constexpr std::string_view kBlocks = "transformer.resblocks.";
  if (!name.starts_with(kBlocks)) return std::nullopt;
  name.remove_prefix(kBlocks.size());
  BlockName block;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), block.index);
  const size_t digits = static_cast<size_t>(end - name.data());
  if (error != std::errc() || digits == name.size() || name[digits] != '.') return std::nullopt;
  block.rest = name.substr(digits + 1);
  return block;
}

}  // namespace

TensorMap UNetToDiffusers(const TensorMap& compvis, const UNetConfig& config) {
  const NameTable names = UNetNames(config);
  TensorMap result;
  for (const auto& [name, view] : compvis) {
    result.emplace(names.ToOurs(name).value_or(absl::StrCat(kUNetPrefix, name)), view);
  }
  return result;
}

TensorMap VaeToDiffusers(const TensorMap& compvis, const VaeConfig& config) {
  const NameTable names = VaeNames(config);
  TensorMap result;
  for (const auto& [name, view] : compvis) {
    const std::string ours = names.ToOurs(name).value_or(absl::StrCat(kVaePrefix, name));
    TensorView changed = view;
    // CompVis attends with 1x1 convolutions, diffusers with linear layers: the same numbers.
    if (IsVaeProjection(ours) && view.shape.size() == 4 && view.shape[2] == 1 && view.shape[3] == 1) {
      changed.shape.resize(2);
    }
    result.emplace(ours, std::move(changed));
  }
  return result;
}

TensorMap OpenClipToDiffusers(const TensorMap& compvis, const TextEncoderConfig& config) {
  const NameTable names = OpenClipNames(config.num_layers);
  TensorMap result;
  for (const auto& [name, view] : compvis) {
    const std::optional<BlockName> block = OpenClipBlock(name);
    if (block.has_value() && block->index >= config.num_layers) continue;
    const bool weight = block.has_value() && block->rest == "attn.in_proj_weight";
    const bool bias = block.has_value() && block->rest == "attn.in_proj_bias";
    if ((weight || bias) && !view.shape.empty() && view.shape[0] % 3 == 0) {
      const std::array<TensorView, 3> parts = SplitRows(view);
      for (size_t i = 0; i < 3; ++i) {
        result.emplace(absl::StrCat("text_model.encoder.layers.", block->index, ".self_attn.",
                                    kProjections[i], weight ? ".weight" : ".bias"),
                       parts[i]);
      }
      continue;
    }
    result.emplace(names.ToOurs(name).value_or(absl::StrCat(kOpenClipPrefix, name)), view);
  }
  return result;
}

TensorMap ToCompVis(const ModelConfig& config, const TensorMap& unet, const TensorMap& vae,
                    const TensorMap& text) {
  TensorMap result;
  const NameTable unet_names = UNetNames(config.unet);
  for (const auto& [name, view] : unet) {
    result.emplace(absl::StrCat(kUNetPrefix, unet_names.ToTheirs(name).value_or(name)), view);
  }
  const NameTable vae_names = VaeNames(config.vae);
  for (const auto& [name, view] : vae) {
    TensorView changed = view;
    if (IsVaeProjection(name)) changed.shape.insert(changed.shape.end(), {1, 1});
    result.emplace(absl::StrCat(kVaePrefix, vae_names.ToTheirs(name).value_or(name)), std::move(changed));
  }
  if (config.text_encoder.quick_gelu) {
    for (const auto& [name, view] : text) result.emplace(absl::StrCat(kClipPrefix, name), view);
    return result;
  }
  const NameTable text_names = OpenClipNames(config.text_encoder.num_layers);
  for (const auto& [name, view] : text) {
    if (const auto theirs = text_names.ToTheirs(name))
      result.emplace(absl::StrCat(kOpenClipPrefix, *theirs), view);
  }
  for (int i = 0; i < config.text_encoder.num_layers; ++i) {
    for (const std::string kind : {"weight", "bias"}) {
      std::array<TensorView, 3> parts;
      for (size_t p = 0; p < 3; ++p) {
        parts[p] =
            text.at(absl::StrCat("text_model.encoder.layers.", i, ".self_attn.", kProjections[p], ".", kind));
      }
      result.emplace(absl::StrCat(kOpenClipPrefix, "transformer.resblocks.", i, ".attn.in_proj_", kind),
                     Concatenate(parts));
    }
  }
  return result;
}

}  // namespace ip2p
