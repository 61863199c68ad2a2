// Lists the tensors of a network by appending modules under a prefix. Internal to the manifests of this
// folder.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/checkpoint/expected_tensors.h"

namespace ip2p {

// Every layer here has a bias unless it says otherwise.
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

  // The layers of a CLIP tower.
  void ClipEncoder(const std::string& name, int layers, int64_t hidden, int64_t intermediate) {
    for (int i = 0; i < layers; ++i) {
      const std::string layer = absl::StrCat(name, ".layers.", i);
      Norm(layer + ".layer_norm1", hidden);
      for (const char* projection : {".q_proj", ".k_proj", ".v_proj", ".out_proj"})
        Layer(absl::StrCat(layer, ".self_attn", projection), {hidden, hidden});
      Norm(layer + ".layer_norm2", hidden);
      Layer(layer + ".mlp.fc1", {intermediate, hidden});
      Layer(layer + ".mlp.fc2", {hidden, intermediate});
    }
  }

  void Parameter(const std::string& name, std::vector<int64_t> shape) { shapes_[name] = std::move(shape); }

  ShapeMap Take() && { return std::move(shapes_); }

 private:
  ShapeMap shapes_;
};

}  // namespace ip2p
