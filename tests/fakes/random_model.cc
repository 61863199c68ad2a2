#include "tests/fakes/random_model.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <string>

#include "common/model/clip/clip.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"

namespace ip2p {
namespace {

TensorMap RandomWeights(torch::nn::Module& module, at::Generator& generator) {
  TensorMap map;
  for (const auto& item : module.named_parameters()) {
    const std::vector<int64_t> shape = item.value().sizes().vec();
    torch::Tensor value;
    if (shape.size() < 2) {
      const bool is_weight =
          item.key().ends_with("weight");  // of a norm: everything else has more dimensions
      value = is_weight ? torch::ones(shape) : torch::zeros(shape);
    } else {
      const double fan_in = static_cast<double>(item.value().numel()) / static_cast<double>(shape[0]);
      value = at::randn(shape, generator) / std::sqrt(fan_in);
    }
    auto owner = std::make_shared<torch::Tensor>(value.contiguous());
    map[item.key()] = {.dtype = DType::kFloat32,
                       .shape = shape,
                       .data = {static_cast<const std::byte*>(owner->data_ptr()), owner->nbytes()},
                       .owner = owner};
  }
  return map;
}

// The 256 bytes, alone and at a word's end, and the two markers: no merges, so a letter is a token.
std::string ByteVocabulary() {
  // OpenAI's byte alphabet: printable bytes stand for themselves, the others for code points from 256 on.
  std::string json = "{";
  int id = 0;
  int beyond = 256;
  auto symbol = [](int code) {
    std::string utf8;
    if (code == '"' || code == '\\') utf8 += '\\';
    if (code < 0x80) {
      utf8 += static_cast<char>(code);
    } else {
      utf8 += static_cast<char>(0xC0 | (code >> 6));
      utf8 += static_cast<char>(0x80 | (code & 0x3F));
    }
    return utf8;
  };
  for (const char* suffix : {"", "</w>"}) {
    beyond = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
      json += '"' + symbol(printable ? byte : beyond++) + suffix + "\":" + std::to_string(id++) + ",";
    }
  }
  return json + "\"<|startoftext|>\":512,\"<|endoftext|>\":513}";
}

}  // namespace

ModelConfig TinyConfig() {
  ModelConfig config;
  config.unet.block_out_channels = {32, 64};
  config.unet.attention = {true, false};
  config.unet.layers_per_block = {1, 1};
  config.unet.attention_heads = {2, 2};
  config.unet.cross_attention_dim = 32;
  config.unet.norm_num_groups = 8;
  config.vae.block_out_channels = {8, 16, 16, 16};
  config.vae.layers_per_block = 1;
  config.vae.norm_num_groups = 4;
  config.text_encoder.vocab_size = 514;
  config.text_encoder.hidden_size = 32;
  config.text_encoder.intermediate_size = 64;
  config.text_encoder.num_layers = 1;
  config.text_encoder.num_heads = 2;
  config.text_encoder.bos_token_id = 512;
  config.text_encoder.eos_token_id = 513;
  config.text_encoder.pad_token_id = 513;
  return config;
}

ModelSource RandomModel(const ModelConfig& config, uint64_t seed) {
  torch::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  ModelSource source;
  source.config = config;
  source.unet = RandomWeights(*UNet(config.unet), generator);
  source.vae = RandomWeights(*Vae(config.vae), generator);
  source.text_encoder = RandomWeights(*ClipTextEncoder(config.text_encoder), generator);
  source.vocab_json = ByteVocabulary();
  source.merges_txt = "#version: 0.2\n";
  source.layout = "memory";
  return source;
}

ClipConfig TinyClipConfig() {
  ClipConfig config;
  config.text = TinyConfig().text_encoder;
  config.vision = {.hidden_size = 48,
                   .intermediate_size = 96,
                   .num_layers = 2,
                   .num_heads = 3,
                   .image_size = 32,
                   .patch_size = 8};
  config.projection_dim = 24;
  config.pooled_token = config.text.eos_token_id;
  return config;
}

ClipSource RandomClip(const ClipConfig& config, uint64_t seed) {
  torch::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  ClipSource source;
  source.config = config;
  source.tensors = RandomWeights(*Clip(config), generator);
  source.vocab_json = ByteVocabulary();
  source.merges_txt = "#version: 0.2\n";
  return source;
}

SafetyCheckerSource RandomSafetyChecker(const ClipConfig& config, uint64_t seed) {
  torch::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  SafetyCheckerSource source;
  source.config = config;
  source.tensors = RandomWeights(*SafetyNetwork(config), generator);
  source.preprocessing.shortest_edge = source.preprocessing.crop_size = config.vision.image_size;
  return source;
}

}  // namespace ip2p
