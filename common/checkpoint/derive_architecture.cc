#include "common/checkpoint/derive_architecture.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

// Heads are 64 wide in SD 2.x and in every CLIP text tower; a narrower layer has one head.
constexpr int kHeadWidth = 64;
constexpr int kSd1Heads = 8;  // SD 1.x: eight heads at each level
constexpr int kMaxLevels = 8;

int HeadsOf(int width) { return std::max(1, width / kHeadWidth); }

// Shapes looked up by name, with errors that say what was wanted.
class Shapes {
 public:
  Shapes(const TensorMap& tensors, std::string part) : tensors_(tensors), part_(std::move(part)) {}

  bool Has(const std::string& name) const { return tensors_.contains(name); }

  absl::StatusOr<std::vector<int64_t>> Of(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return Unknown(absl::StrCat(name, " is missing"));
    if (found->second.shape.empty() || std::ranges::max(found->second.shape) > (1 << 24) ||
        std::ranges::min(found->second.shape) < 1) {
      return Unknown(absl::StrCat(name, " is ", ShapeText(found->second.shape)));
    }
    return found->second.shape;
  }
  // One side of a tensor that has at least that many.
  absl::StatusOr<int> Side(const std::string& name, size_t side) const {
    IP2P_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, Of(name));
    if (side >= shape.size()) return Unknown(absl::StrCat(name, " is ", ShapeText(shape)));
    return static_cast<int>(shape[side]);
  }
  // How many of PREFIX + 0 + SUFFIX, PREFIX + 1 + SUFFIX... there are without a gap.
  int Count(const std::string& prefix, const std::string& suffix) const {
    int count = 0;
    while (Has(absl::StrCat(prefix, count, suffix))) ++count;
    return count;
  }
  absl::Status Unknown(const std::string& what) const {
    return absl::FailedPreconditionError(absl::StrCat("the ", part_,
                                                      "'s architecture cannot be derived: ", what,
                                                      "; wants a Stable Diffusion 1.x or 2.x checkpoint"));
  }

 private:
  const TensorMap& tensors_;
  const std::string part_;
};

// What the transformers of a UNet say, at one level or in the middle.
struct Transformer {
  bool linear = false;
  int context = 0;
  int layers = 0;
};

absl::StatusOr<Transformer> ReadTransformer(const Shapes& shapes, const std::string& name) {
  Transformer result;
  IP2P_ASSIGN_OR_RETURN(const std::vector<int64_t> proj, shapes.Of(name + ".proj_in.weight"));
  result.linear = proj.size() == 2;
  IP2P_ASSIGN_OR_RETURN(result.context, shapes.Side(name + ".transformer_blocks.0.attn2.to_k.weight", 1));
  result.layers = shapes.Count(name + ".transformer_blocks.", ".norm1.weight");
  return result;
}

}  // namespace

absl::StatusOr<UNetConfig> DeriveUNet(const TensorMap& unet) {
  const Shapes shapes(unet, "unet");
  if (shapes.Has("label_emb.0.0.weight"))
    return shapes.Unknown("label_emb.0.0.weight is there (SDXL or unCLIP)");
  UNetConfig c;
  IP2P_ASSIGN_OR_RETURN(c.in_channels, shapes.Side("input_blocks.0.0.weight", 1));
  IP2P_ASSIGN_OR_RETURN(c.out_channels, shapes.Side("out.2.weight", 0));
  c.block_out_channels.clear(), c.attention.clear(), c.layers_per_block.clear(), c.attention_heads.clear();
  // The down path: resnets, with or without a transformer, until a strided convolution ends the level.
  bool open = false;
  for (int block = 1;; ++block) {
    const std::string name = absl::StrCat("input_blocks.", block);
    if (shapes.Has(name + ".0.op.weight")) {
      if (!open) return shapes.Unknown(name + " ends a level that has no layers");
      open = false;
      continue;
    }
    if (!shapes.Has(name + ".0.in_layers.2.weight")) break;
    IP2P_ASSIGN_OR_RETURN(const int channels, shapes.Side(name + ".0.in_layers.2.weight", 0));
    const bool attention = shapes.Has(name + ".1.proj_in.weight");
    if (!open) {
      if (c.block_out_channels.size() == kMaxLevels) return shapes.Unknown("it has more than 8 levels");
      c.block_out_channels.push_back(channels);
      c.attention.push_back(attention);
      c.layers_per_block.push_back(0);
      open = true;
    }
    if (channels != c.block_out_channels.back() || attention != c.attention.back()) {
      return shapes.Unknown(name + " differs from the other layers of its level");
    }
    ++c.layers_per_block.back();
  }
  if (!open) return shapes.Unknown("input_blocks.1.0.in_layers.2.weight is missing");
  IP2P_ASSIGN_OR_RETURN(const Transformer transformer, ReadTransformer(shapes, "middle_block.1"));
  c.cross_attention_dim = transformer.context;
  c.transformer_layers = transformer.layers;
  // SD 2.x changed the projections to linear layers and the heads to 64 wide in one go.
  c.use_linear_projection = transformer.linear;
  for (const int channels : c.block_out_channels) {
    c.attention_heads.push_back(transformer.linear ? HeadsOf(channels) : kSd1Heads);
    if (channels % c.norm_num_groups != 0 || channels % c.attention_heads.back() != 0) {
      return shapes.Unknown(
          absl::StrCat("a level has ", channels, " channels, no multiple of 32 groups and its heads"));
    }
  }
  return c;
}

absl::StatusOr<VaeConfig> DeriveVae(const TensorMap& vae) {
  const Shapes shapes(vae, "vae");
  VaeConfig c;
  IP2P_ASSIGN_OR_RETURN(c.in_channels, shapes.Side("encoder.conv_in.weight", 1));
  IP2P_ASSIGN_OR_RETURN(c.out_channels, shapes.Side("decoder.conv_out.weight", 0));
  IP2P_ASSIGN_OR_RETURN(c.latent_channels, shapes.Side("post_quant_conv.weight", 0));
  const int levels = shapes.Count("encoder.down.", ".block.0.conv1.weight");
  if (levels < 1 || levels > kMaxLevels)
    return shapes.Unknown("encoder.down.0.block.0.conv1.weight is missing");
  c.block_out_channels.clear();
  for (int level = 0; level < levels; ++level) {
    IP2P_ASSIGN_OR_RETURN(const int channels,
                          shapes.Side(absl::StrCat("encoder.down.", level, ".block.0.conv1.weight"), 0));
    if (channels % c.norm_num_groups != 0) {
      return shapes.Unknown(absl::StrCat("a level has ", channels, " channels, no multiple of 32 groups"));
    }
    c.block_out_channels.push_back(channels);
  }
  c.layers_per_block = shapes.Count("encoder.down.0.block.", ".conv1.weight");
  c.mid_block_attention = shapes.Has("encoder.mid.attn_1.q.weight");
  return c;
}

absl::StatusOr<TextEncoderConfig> DeriveClip(const TensorMap& text) {
  const Shapes shapes(text, "text_encoder");
  TextEncoderConfig c;
  IP2P_ASSIGN_OR_RETURN(c.vocab_size, shapes.Side("text_model.embeddings.token_embedding.weight", 0));
  IP2P_ASSIGN_OR_RETURN(c.hidden_size, shapes.Side("text_model.embeddings.token_embedding.weight", 1));
  IP2P_ASSIGN_OR_RETURN(c.max_positions, shapes.Side("text_model.embeddings.position_embedding.weight", 0));
  IP2P_ASSIGN_OR_RETURN(c.intermediate_size, shapes.Side("text_model.encoder.layers.0.mlp.fc1.weight", 0));
  c.num_layers = shapes.Count("text_model.encoder.layers.", ".layer_norm1.weight");
  c.num_heads = HeadsOf(c.hidden_size);
  c.quick_gelu = true;  // OpenAI's towers
  return c;
}

absl::StatusOr<TextEncoderConfig> DeriveOpenClip(const TensorMap& text) {
  const Shapes shapes(text, "text_encoder");
  TextEncoderConfig c;
  IP2P_ASSIGN_OR_RETURN(c.vocab_size, shapes.Side("token_embedding.weight", 0));
  IP2P_ASSIGN_OR_RETURN(c.hidden_size, shapes.Side("token_embedding.weight", 1));
  IP2P_ASSIGN_OR_RETURN(c.max_positions, shapes.Side("positional_embedding", 0));
  IP2P_ASSIGN_OR_RETURN(c.intermediate_size, shapes.Side("transformer.resblocks.0.mlp.c_fc.weight", 0));
  const int blocks = shapes.Count("transformer.resblocks.", ".ln_1.weight");
  // SD 2.x reads the last but one layer. Its tower (1,024 wide) has 24; files made from diffusers folders
  // have 23.
  const bool cut = c.hidden_size == 1024 && blocks == 23;
  c.num_layers = cut ? blocks : blocks - 1;
  if (c.num_layers < 1) return shapes.Unknown("transformer.resblocks.1.ln_1.weight is missing");
  c.num_heads = HeadsOf(c.hidden_size);
  c.quick_gelu = false;
  c.pad_token_id = 0;  // "!", where OpenAI's towers repeat the end token
  return c;
}

}  // namespace ip2p
