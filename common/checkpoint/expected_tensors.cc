#include "common/checkpoint/expected_tensors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

// Appends modules under a prefix. Every layer here has a bias unless it says otherwise.
class Manifest {
 public:
  void Layer(const std::string& name, std::vector<int64_t> shape, bool bias = true) {
    if (bias) shapes_[name + ".bias"] = {shape[0]};
    shapes_[name + ".weight"] = std::move(shape);
  }
  void Norm(const std::string& name, int64_t channels) { Layer(name, {channels}); }
  void Conv(const std::string& name, int64_t in, int64_t out, int64_t kernel) {
    Layer(name, {out, in, kernel, kernel});
  }

  // `time` is 0 in the VAE, whose blocks see no time step.
  void Resnet(const std::string& name, int64_t in, int64_t out, int64_t time) {
    Norm(name + ".norm1", in);
    Conv(name + ".conv1", in, out, 3);
    if (time > 0) Layer(name + ".time_emb_proj", {out, time});
    Norm(name + ".norm2", out);
    Conv(name + ".conv2", out, out, 3);
    if (in != out) Conv(name + ".conv_shortcut", in, out, 1);
  }

  void Transformer(const std::string& name, int64_t channels, const UNetConfig& config) {
    for (const char* projection : {".proj_in", ".proj_out"}) {
      if (config.use_linear_projection) {
        Layer(name + projection, {channels, channels});
      } else {
        Conv(name + projection, channels, channels, 1);
      }
    }
    Norm(name + ".norm", channels);
    for (int i = 0; i < config.transformer_layers; ++i) {
      const std::string block = absl::StrCat(name, ".transformer_blocks.", i);
      for (const char* norm : {".norm1", ".norm2", ".norm3"}) Norm(block + norm, channels);
      Attention(block + ".attn1", channels, channels);
      Attention(block + ".attn2", channels, config.cross_attention_dim);
      Layer(block + ".ff.net.0.proj", {8 * channels, channels});  // GEGLU: values and gates
      Layer(block + ".ff.net.2", {channels, 4 * channels});
    }
  }

  void Attention(const std::string& name, int64_t channels, int64_t context) {
    Layer(name + ".to_q", {channels, channels}, false);
    Layer(name + ".to_k", {channels, context}, false);
    Layer(name + ".to_v", {channels, context}, false);
    Layer(name + ".to_out.0", {channels, channels});
  }

  ShapeMap Take() && { return std::move(shapes_); }

 private:
  ShapeMap shapes_;
};

void VaeMidBlock(Manifest& m, const std::string& name, int64_t channels, bool attention) {
  m.Resnet(name + ".resnets.0", channels, channels, 0);
  if (attention) {
    m.Norm(name + ".attentions.0.group_norm", channels);
    for (const char* layer : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
      m.Layer(name + ".attentions.0" + layer, {channels, channels});
    }
  }
  m.Resnet(name + ".resnets.1", channels, channels, 0);
}

}  // namespace

ShapeMap UNetTensors(const UNetConfig& c) {
  Manifest m;
  const int levels = static_cast<int>(c.block_out_channels.size());
  const int64_t first = c.block_out_channels.front(), last = c.block_out_channels.back();
  const int64_t time = 4 * first;
  m.Layer("time_embedding.linear_1", {time, first});
  m.Layer("time_embedding.linear_2", {time, time});
  m.Conv("conv_in", c.in_channels, first, 3);
  std::vector<int64_t> skips = {first};  // channels of what the up path concatenates
  int64_t channels = first;
  for (int level = 0; level < levels; ++level) {
    const std::string block = absl::StrCat("down_blocks.", level);
    for (int i = 0; i < c.layers_per_block[level]; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], time);
      channels = c.block_out_channels[level];
      if (c.attention[level]) m.Transformer(absl::StrCat(block, ".attentions.", i), channels, c);
      skips.push_back(channels);
    }
    if (level + 1 < levels) {
      m.Conv(block + ".downsamplers.0.conv", channels, channels, 3);
      skips.push_back(channels);
    }
  }
  m.Resnet("mid_block.resnets.0", last, last, time);
  m.Transformer("mid_block.attentions.0", last, c);
  m.Resnet("mid_block.resnets.1", last, last, time);
  for (int level = levels - 1; level >= 0; --level) {
    const std::string block = absl::StrCat("up_blocks.", levels - 1 - level);
    for (int i = 0; i < c.layers_per_block[level] + 1; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels + skips.back(), c.block_out_channels[level],
               time);
      skips.pop_back();
      channels = c.block_out_channels[level];
      if (c.attention[level]) m.Transformer(absl::StrCat(block, ".attentions.", i), channels, c);
    }
    if (level > 0) m.Conv(block + ".upsamplers.0.conv", channels, channels, 3);
  }
  m.Norm("conv_norm_out", first);
  m.Conv("conv_out", first, c.out_channels, 3);
  return std::move(m).Take();
}

ShapeMap VaeTensors(const VaeConfig& c) {
  Manifest m;
  const int levels = static_cast<int>(c.block_out_channels.size());
  const int64_t first = c.block_out_channels.front(), last = c.block_out_channels.back();
  m.Conv("encoder.conv_in", c.in_channels, first, 3);
  int64_t channels = first;
  for (int level = 0; level < levels; ++level) {
    const std::string block = absl::StrCat("encoder.down_blocks.", level);
    for (int i = 0; i < c.layers_per_block; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], 0);
      channels = c.block_out_channels[level];
    }
    if (level + 1 < levels) m.Conv(block + ".downsamplers.0.conv", channels, channels, 3);
  }
  VaeMidBlock(m, "encoder.mid_block", last, c.mid_block_attention);
  m.Norm("encoder.conv_norm_out", last);
  m.Conv("encoder.conv_out", last, 2 * c.latent_channels, 3);  // mean and log variance
  m.Conv("quant_conv", 2 * c.latent_channels, 2 * c.latent_channels, 1);
  m.Conv("post_quant_conv", c.latent_channels, c.latent_channels, 1);
  m.Conv("decoder.conv_in", c.latent_channels, last, 3);
  VaeMidBlock(m, "decoder.mid_block", last, c.mid_block_attention);
  for (int level = levels - 1; level >= 0; --level) {
    const std::string block = absl::StrCat("decoder.up_blocks.", levels - 1 - level);
    for (int i = 0; i < c.layers_per_block + 1; ++i) {
      m.Resnet(absl::StrCat(block, ".resnets.", i), channels, c.block_out_channels[level], 0);
      channels = c.block_out_channels[level];
    }
    if (level > 0) m.Conv(block + ".upsamplers.0.conv", channels, channels, 3);
  }
  m.Norm("decoder.conv_norm_out", first);
  m.Conv("decoder.conv_out", first, c.out_channels, 3);
  return std::move(m).Take();
}

ShapeMap TextEncoderTensors(const TextEncoderConfig& c) {
  Manifest m;
  m.Layer("text_model.embeddings.token_embedding", {c.vocab_size, c.hidden_size}, false);
  m.Layer("text_model.embeddings.position_embedding", {c.max_positions, c.hidden_size}, false);
  for (int i = 0; i < c.num_layers; ++i) {
    const std::string layer = absl::StrCat("text_model.encoder.layers.", i);
    m.Norm(layer + ".layer_norm1", c.hidden_size);
    for (const char* projection : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      m.Layer(absl::StrCat(layer, ".self_attn.", projection), {c.hidden_size, c.hidden_size});
    }
    m.Norm(layer + ".layer_norm2", c.hidden_size);
    m.Layer(layer + ".mlp.fc1", {c.intermediate_size, c.hidden_size});
    m.Layer(layer + ".mlp.fc2", {c.hidden_size, c.intermediate_size});
  }
  m.Norm("text_model.final_layer_norm", c.hidden_size);
  return std::move(m).Take();
}

absl::Status CheckTensors(const std::string& part, const ShapeMap& expected, const TensorMap& actual) {
  constexpr size_t kNamed = 10;
  std::vector<std::string> faults;
  size_t count = 0;
  auto report = [&](auto&&... text) {
    if (++count <= kNamed) faults.push_back(absl::StrCat(text...));
  };
  for (const auto& [name, shape] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) {
      report(name, " is missing");
    } else if (found->second.shape != shape) {
      report(name, " is ", ShapeText(found->second.shape), "; wants ", ShapeText(shape));
    } else if (!IsFloat(found->second.dtype)) {
      report(name, " is ", DTypeName(found->second.dtype), "; wants a floating-point type");
    }
  }
  for (const auto& [name, view] : actual) {
    if (!expected.contains(name)) report(Quoted(name), " is unexpected");
  }
  if (count == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(part, " does not fit its architecture: ", absl::StrJoin(faults, ", "),
                   count > kNamed ? absl::StrCat(", and ", count - kNamed, " more") : ""));
}

}  // namespace ip2p
