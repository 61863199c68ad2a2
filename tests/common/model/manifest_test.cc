// Names and shapes of the full-size networks against lists made from diffusers and transformers
// (tests/parity/make_manifests.py).
#include <gmock/gmock.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_join.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"

namespace ip2p {
namespace {

using Manifest = std::map<std::string, std::string>;  // name -> "320x8x3x3"

Manifest Read(const std::string& name) {
  std::ifstream file(std::string(IP2P_TESTDATA) + "/" + name);
  Manifest manifest;
  for (std::string key, shape; file >> key >> shape;) manifest[key] = shape;
  EXPECT_GT(manifest.size(), 100u) << name;
  return manifest;
}

Manifest Of(const torch::nn::Module& module) {
  Manifest manifest;
  for (const auto& item : module.named_parameters())
    manifest[item.key()] = absl::StrJoin(item.value().sizes(), "x");
  return manifest;
}

UNetConfig Sd21UNet() {
  UNetConfig config;
  config.cross_attention_dim = 1024;
  config.attention_heads = {5, 10, 20, 20};
  config.use_linear_projection = true;
  return config;
}

TextEncoderConfig Sd21Text() {
  TextEncoderConfig config;
  config.hidden_size = 1024;
  config.intermediate_size = 4096;
  config.num_layers = 23;
  config.num_heads = 16;
  config.quick_gelu = false;
  return config;
}

TEST(ManifestTest, UNetOfSd1) { EXPECT_EQ(Of(*UNet(UNetConfig())), Read("sd15_unet.txt")); }

TEST(ManifestTest, UNetOfSd2) {
  Manifest wanted = Read("sd21_unet.txt");
  EXPECT_EQ(Of(*UNet(Sd21UNet())), wanted);
}

TEST(ManifestTest, UNetOfFourChannelsDiffersInItsFirstLayerOnly) {
  UNetConfig config;
  config.in_channels = 4;
  Manifest wanted = Read("sd15_unet.txt");
  wanted["conv_in.weight"] = "320x4x3x3";
  EXPECT_EQ(Of(*UNet(config)), wanted);
}

TEST(ManifestTest, Vae) { EXPECT_EQ(Of(*Vae(VaeConfig())), Read("sd_vae.txt")); }

TEST(ManifestTest, TextEncoders) {
  EXPECT_EQ(Of(*ClipTextEncoder(TextEncoderConfig())), Read("sd15_text_encoder.txt"));
  EXPECT_EQ(Of(*ClipTextEncoder(Sd21Text())), Read("sd21_text_encoder.txt"));
}

}  // namespace
}  // namespace ip2p
