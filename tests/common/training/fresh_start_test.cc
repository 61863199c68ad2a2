#include <cmath>
#include <filesystem>
#include <fstream>

#include "common/base/json.h"
#include "common/checkpoint/safetensors.h"
#include "common/training/export_model.h"
#include "common/training/parameter_set.h"
#include "common/training/train_start.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

// A model's folder without its weights.
std::string Configs(const TempFolder& folder) {
  TrainStart start;
  start.model = RandomModel(TinyConfig(), 1);
  const std::string path = folder.In("model");
  EXPECT_TRUE(ExportModel(start, {}, path).ok());
  for (const char* file : {"unet/diffusion_pytorch_model.safetensors",
                           "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"})
    std::filesystem::rename(path + "/" + file, path + "/" + file + ".away");
  return path;
}

torch::Tensor Get(const TensorMap& part, const std::string& name) { return FromTensorView(part.at(name)); }

TEST(FreshStart, WeightsAreInitialisedAsTorchAndTransformersDo) {
  const TempFolder folder;
  const auto start = FreshStart(Configs(folder), {});
  ASSERT_TRUE(start.ok()) << start.status();
  const torch::Tensor conv = Get(start->model.unet, "down_blocks.0.resnets.0.conv1.weight");  // 32 x 3 x 3 in
  const double bound = 1 / std::sqrt(32.0 * 9);
  EXPECT_LE(conv.abs().max().item<double>(), bound);
  EXPECT_NEAR(conv.std().item<double>(), bound / std::sqrt(3.0), 0.05 * bound);
  EXPECT_LE(Get(start->model.unet, "down_blocks.0.resnets.0.conv1.bias").abs().max().item<double>(), bound);
  EXPECT_GT(Get(start->model.unet, "down_blocks.0.resnets.0.conv1.bias").abs().max().item<double>(), 0);
  EXPECT_TRUE(torch::equal(Get(start->model.vae, "decoder.conv_norm_out.weight"), torch::ones({8})));
  EXPECT_TRUE(torch::equal(Get(start->model.vae, "decoder.conv_norm_out.bias"), torch::zeros({8})));
  const TensorMap& text = start->model.text_encoder;
  EXPECT_NEAR(Get(text, "text_model.embeddings.token_embedding.weight").std().item<double>(), 1, 0.1);
  // hidden^-1/2 (2 layers)^-1/2 with 32 and 1.
  EXPECT_NEAR(Get(text, "text_model.encoder.layers.0.self_attn.q_proj.weight").std().item<double>(),
              1 / std::sqrt(32.0) / std::sqrt(2.0), 0.02);
  EXPECT_EQ(Get(text, "text_model.encoder.layers.0.self_attn.q_proj.bias").abs().sum().item<double>(), 0);
  // Its layers add nothing yet.
  EXPECT_EQ(Get(text, "text_model.encoder.layers.0.self_attn.out_proj.weight").abs().sum().item<double>(), 0);
  EXPECT_EQ(Get(text, "text_model.encoder.layers.0.mlp.fc2.weight").abs().sum().item<double>(), 0);
  EXPECT_GT(Get(text, "text_model.encoder.layers.0.mlp.fc1.weight").abs().sum().item<double>(), 0);
}

TEST(FreshStart, ASeedIsOneModel) {
  const TempFolder folder;
  const std::string path = Configs(folder);
  TrainConfig config;
  const auto a = FreshStart(path, config), b = FreshStart(path, config);
  config.seed = 2;
  const auto other = FreshStart(path, config);
  ASSERT_TRUE(a.ok() && b.ok() && other.ok());
  const std::string name = "mid_block.resnets.0.conv1.weight";
  EXPECT_TRUE(torch::equal(Get(a->model.unet, name), Get(b->model.unet, name)));
  EXPECT_FALSE(torch::equal(Get(a->model.unet, name), Get(other->model.unet, name)));
}

TEST(FreshStart, WeightsThatAreThereAreTaken) {
  const TempFolder folder;
  const std::string path = Configs(folder);
  const std::string file = path + "/vae/diffusion_pytorch_model.safetensors";
  std::filesystem::rename(file + ".away", file);
  const auto start = FreshStart(path, {});
  ASSERT_TRUE(start.ok()) << start.status();
  const ModelSource model = RandomModel(TinyConfig(), 1);
  EXPECT_TRUE(torch::equal(Get(start->model.vae, "encoder.conv_in.weight"),
                           Get(model.vae, "encoder.conv_in.weight")));
  EXPECT_FALSE(torch::equal(Get(start->model.unet, "conv_in.weight"), Get(model.unet, "conv_in.weight")));
}

TEST(FreshStart, AClipInTheTextEncodersPlaceGivesItsTextTower) {
  const TempFolder folder;
  const std::string path = Configs(folder);
  const std::string file = path + "/text_encoder/model.safetensors";
  const auto tower = ReadSafetensors(file + ".away", "text_encoder");
  ASSERT_TRUE(tower.ok()) << tower.status();
  TensorMap clip = tower->tensors;
  const auto add = [&](const char* name, at::IntArrayRef shape) {
    clip[name] = ToTensorView(torch::zeros(shape));
  };
  add("vision_model.pre_layrnorm.weight", {8});
  add("visual_projection.weight", {8, 8});
  add("text_projection.weight", {8, 32});
  ASSERT_TRUE(WriteSafetensors(file, clip, {}).ok());
  EXPECT_FALSE(FreshStart(path, {}).ok()) << "no CLIP: strange tensors of some network";
  add("logit_scale", {});
  ASSERT_TRUE(WriteSafetensors(file, clip, {}).ok());
  const auto start = FreshStart(path, {});
  ASSERT_TRUE(start.ok()) << start.status();
  const std::string name = "text_model.embeddings.token_embedding.weight";
  EXPECT_TRUE(torch::equal(Get(start->model.text_encoder, name), Get(tower->tensors, name)));
}

TEST(FreshStart, ATextEncoderOfFewerLayersGetsMore) {
  const TempFolder folder;
  const std::string path = Configs(folder);
  const std::string file = path + "/text_encoder/model.safetensors";
  const auto whole = ReadSafetensors(file + ".away", "text_encoder");
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::string layer = "text_model.encoder.layers.0.";
  TensorMap words = whole->tensors;
  ASSERT_GT(std::erase_if(words, [&](const auto& tensor) { return tensor.first.starts_with(layer); }), 0);
  ASSERT_TRUE(WriteSafetensors(file, words, {}).ok());
  const auto start = FreshStart(path, {});
  ASSERT_TRUE(start.ok()) << start.status();
  const TensorMap& text = start->model.text_encoder;
  EXPECT_EQ(text.size(), whole->tensors.size());
  const std::string name = "text_model.embeddings.token_embedding.weight";
  EXPECT_TRUE(torch::equal(Get(text, name), Get(words, name)));
  EXPECT_EQ(Get(text, layer + "mlp.fc2.weight").abs().sum().item<double>(), 0) << "adds nothing yet";

  words[layer + "mlp.fc2.weight"] = whole->tensors.at(layer + "mlp.fc2.weight");
  ASSERT_TRUE(WriteSafetensors(file, words, {}).ok());
  EXPECT_FALSE(FreshStart(path, {}).ok()) << "a layer in part is a damaged one";

  const std::string config_file = path + "/text_encoder/config.json";
  nlohmann::json config = nlohmann::json::parse(std::ifstream(config_file));
  config["num_hidden_layers"] = 2;
  std::ofstream(config_file) << config;
  words = whole->tensors;
  ASSERT_TRUE(WriteSafetensors(file, words, {}).ok());
  EXPECT_TRUE(FreshStart(path, {}).ok()) << "the first of two layers";
  for (const auto& [key, tensor] : whole->tensors) {
    if (!key.starts_with(layer)) continue;
    words.erase(key);
    words["text_model.encoder.layers.1." + key.substr(layer.size())] = tensor;
  }
  ASSERT_TRUE(WriteSafetensors(file, words, {}).ok());
  EXPECT_FALSE(FreshStart(path, {}).ok()) << "the second without the first";
}

}  // namespace
}  // namespace ip2p
