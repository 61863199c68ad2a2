// CompVis checkpoints: names, derived architectures, EMA, prediction types, VAEs of their own.
#include "common/checkpoint/one_file.h"

#include <set>

#include "common/checkpoint/compvis_convert.h"
#include "common/checkpoint/compvis_names.h"
#include "common/checkpoint/derive_architecture.h"
#include "common/checkpoint/tensor_copy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using testing::MakeModel;
using testing::SameTensors;
using testing::SmallConfig;
using testing::SmallSd2Config;

TensorView Scalar() {
  return Concatenate(std::vector<TensorView>{MakeModel(SmallConfig()).unet.at("conv_in.bias")});
}

// As a stranger would have written it: no metadata.
OneFile Foreign(const ModelSource& model) {
  return {.tensors = ToCompVis(model.config, model.unet, model.vae, model.text_encoder),
          .layout = "safetensors"};
}

// OpenCLIP's last block, which SD 2.x does not use.
void AddLastBlock(OneFile& file, int layers) {
  const std::string last =
      std::string(kOpenClipPrefix) + "transformer.resblocks." + std::to_string(layers - 1) + ".";
  const std::string more =
      std::string(kOpenClipPrefix) + "transformer.resblocks." + std::to_string(layers) + ".";
  TensorMap added;
  for (const auto& [name, view] : file.tensors) {
    if (name.starts_with(last)) added[more + name.substr(last.size())] = view;
  }
  file.tensors.merge(added);
}

OneFile ForeignSd2(const ModelSource& model) {
  OneFile file = Foreign(model);
  AddLastBlock(file, model.config.text_encoder.num_layers);
  return file;
}

void ExpectRefused(OneFile file, const std::string& message, const ModelOpenOptions& options = {}) {
  const absl::Status status = OpenOneFile(std::move(file), options, true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(NameTable, MatchesWholeComponentsLongestFirst) {
  const NameTable table({{"a.1", "x"}, {"a.1.0", "y"}, {"b", "b.c"}});
  EXPECT_EQ(table.ToOurs("a.1.weight"), "x.weight");
  EXPECT_EQ(table.ToOurs("a.1.0.weight"), "y.weight");
  EXPECT_EQ(table.ToOurs("a.10.weight"), std::nullopt);
  EXPECT_EQ(table.ToOurs("a"), std::nullopt);
  EXPECT_EQ(table.ToTheirs("b.c.d"), "b.d");
  EXPECT_EQ(table.ToTheirs(""), std::nullopt);
}

// Names as they stand in v1-5-pruned.ckpt.
TEST(CompVisNames, AreThePublishedOnes) {
  const NameTable unet = UNetNames(UNetConfig());
  const std::vector<std::pair<std::string, std::string>> known = {
      {"input_blocks.1.0.in_layers.0.weight", "down_blocks.0.resnets.0.norm1.weight"},
      {"input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight",
       "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"},
      {"input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight"},
      {"input_blocks.4.0.skip_connection.bias", "down_blocks.1.resnets.0.conv_shortcut.bias"},
      {"input_blocks.11.0.emb_layers.1.weight", "down_blocks.3.resnets.1.time_emb_proj.weight"},
      {"middle_block.2.out_layers.3.weight", "mid_block.resnets.1.conv2.weight"},
      {"output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"},
      {"output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight"},
      {"output_blocks.11.1.proj_out.bias", "up_blocks.3.attentions.2.proj_out.bias"},
      {"time_embed.2.weight", "time_embedding.linear_2.weight"},
  };
  for (const auto& [theirs, ours] : known) {
    EXPECT_EQ(unet.ToOurs(theirs), ours);
    EXPECT_EQ(unet.ToTheirs(ours), theirs);
  }
  const NameTable vae = VaeNames(VaeConfig());
  EXPECT_EQ(vae.ToOurs("decoder.up.3.block.0.conv1.weight"), "decoder.up_blocks.0.resnets.0.conv1.weight");
  EXPECT_EQ(vae.ToOurs("decoder.up.1.upsample.conv.bias"), "decoder.up_blocks.2.upsamplers.0.conv.bias");
  EXPECT_EQ(vae.ToOurs("encoder.down.1.block.0.nin_shortcut.weight"),
            "encoder.down_blocks.1.resnets.0.conv_shortcut.weight");
  EXPECT_EQ(vae.ToOurs("encoder.mid.attn_1.proj_out.weight"),
            "encoder.mid_block.attentions.0.to_out.0.weight");
  EXPECT_EQ(EmaName("input_blocks.0.0.weight"), "model_ema.diffusion_modelinput_blocks00weight");
}

// Every tensor of a full-size model has a name of its own in the other layout and comes back.
TEST(CompVisNames, AreOneToOne) {
  const auto check = [](const NameTable& table, const ShapeMap& shapes) {
    std::set<std::string> seen;
    for (const auto& [name, shape] : shapes) {
      const auto theirs = table.ToTheirs(name);
      ASSERT_TRUE(theirs.has_value()) << name;
      EXPECT_TRUE(seen.insert(*theirs).second) << *theirs;
      EXPECT_EQ(table.ToOurs(*theirs), name);
    }
  };
  check(UNetNames(UNetConfig()), UNetTensors(UNetConfig()));
  check(VaeNames(VaeConfig()), VaeTensors(VaeConfig()));
}

TEST(OneFile, DerivesBothFamilies) {
  ModelSource model = MakeModel(SmallConfig());
  auto opened = OpenOneFile(Foreign(model), {}, true);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(SameTensors(opened->unet, model.unet));
  EXPECT_TRUE(SameTensors(opened->vae, model.vae));
  EXPECT_TRUE(SameTensors(opened->text_encoder, model.text_encoder));
  EXPECT_EQ(opened->config.unet, model.config.unet);
  EXPECT_EQ(opened->config.scheduler.prediction, PredictionType::kEpsilon);

  model = MakeModel(SmallSd2Config());
  opened = OpenOneFile(ForeignSd2(model), {.prediction = PredictionType::kVPrediction}, true);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(SameTensors(opened->text_encoder, model.text_encoder));
  EXPECT_EQ(opened->config.unet.attention_heads, (std::vector<int>{1, 2}));
  EXPECT_FALSE(opened->config.text_encoder.quick_gelu);
  EXPECT_EQ(opened->config.text_encoder.pad_token_id, 0);
  EXPECT_EQ(opened->config.unet.sample_size, 96);
}

TEST(OneFile, IgnoresWhatTrainingLeftBehind) {
  OneFile file = Foreign(MakeModel(SmallConfig()));
  for (const char* name : {"betas", "alphas_cumprod", "model_ema.decay", "model_ema.num_updates", "logvar",
                           "cond_stage_model.transformer.text_model.embeddings.position_ids",
                           "first_stage_model.loss.discriminator.main.0.weight"}) {
    file.tensors[name] = Scalar();
  }
  const auto opened = OpenOneFile(std::move(file), {}, true);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(opened->used_ema);
}

TEST(OneFile, EmaWinsWhenComplete) {
  const ModelSource model = MakeModel(SmallConfig());
  OneFile file = Foreign(model);
  TensorMap averages;
  const std::string prefix = kUNetPrefix;
  for (auto& [name, view] : file.tensors) {
    if (!name.starts_with(prefix)) continue;
    averages[EmaName(name.substr(prefix.size()))] = view;
    TensorView other = Copy(view);
    const_cast<std::byte&>(other.data[0]) ^= std::byte{1};
    view = other;
  }
  OneFile partial = file;
  file.tensors.merge(averages);
  const auto opened = OpenOneFile(file, {}, true);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->used_ema);
  EXPECT_TRUE(SameTensors(opened->unet, model.unet));

  file.tensors["model_ema.diffusion_modelwhatever"] = Scalar();
  ExpectRefused(file, "EMA weights belong to no tensor of the UNet: \"model_ema.diffusion_modelwhatever\"");
  partial.tensors[EmaName("out.2.bias")] = Scalar();
  ExpectRefused(partial, "the EMA weights are incomplete");
}

TEST(OneFile, PredictionOfSd2MustBeSaid) {
  const ModelSource model = MakeModel(SmallSd2Config());
  ExpectRefused(ForeignSd2(model), "--prediction epsilon or --prediction v");
  const auto prediction = [&](OneFile file, const ModelOpenOptions& options) {
    return OpenOneFile(std::move(file), options, true)->config.scheduler.prediction;
  };
  EXPECT_EQ(prediction(ForeignSd2(model), {.prediction = PredictionType::kEpsilon}),
            PredictionType::kEpsilon);
  OneFile file = ForeignSd2(model);
  file.metadata["modelspec.prediction_type"] = "v";
  EXPECT_EQ(prediction(file, {}), PredictionType::kVPrediction);
  EXPECT_EQ(prediction(file, {.prediction = PredictionType::kEpsilon}), PredictionType::kEpsilon);
  file = ForeignSd2(model);
  file.global_step = 875000;
  EXPECT_EQ(prediction(file, {}), PredictionType::kEpsilon);
  file.global_step = 12345;
  ExpectRefused(file, "--prediction");
}

TEST(OneFile, RefusesStrangeTensorsByName) {
  OneFile file = Foreign(MakeModel(SmallConfig()));
  file.tensors["control_model.input_hint_block.0.weight"] = Scalar();
  ExpectRefused(file, "\"control_model.input_hint_block.0.weight\"");
  file = Foreign(MakeModel(SmallConfig()));
  file.tensors["model.diffusion_model.conv_in.weight"] = Scalar();  // diffusers' name in the other layout
  ExpectRefused(file, "\"model.diffusion_model.conv_in.weight\" is unexpected");
  file = Foreign(MakeModel(SmallConfig()));
  file.tensors["model.diffusion_model.label_emb.0.0.weight"] = Scalar();
  ExpectRefused(file, "SDXL");
}

TEST(OneFile, RefusesWhatIsIncomplete) {
  const auto without = [](const std::string& prefix) {
    OneFile file = Foreign(MakeModel(SmallConfig()));
    std::erase_if(file.tensors, [&](const auto& item) { return item.first.starts_with(prefix); });
    return file;
  };
  ExpectRefused(without("cond_stage_model."), "no text encoder");
  ExpectRefused(without("first_stage_model."), "the vae's architecture cannot be derived");
  ExpectRefused(without("model.diffusion_model."), "the unet's architecture cannot be derived");
  ExpectRefused(without("model.diffusion_model.middle_block.1"), "middle_block.1.proj_in.weight is missing");
  ExpectRefused(without("model.diffusion_model.out.0.bias"), "conv_norm_out.bias is missing");
  OneFile both = Foreign(MakeModel(SmallConfig()));
  both.tensors["cond_stage_model.model.ln_final.bias"] = Scalar();
  ExpectRefused(both, "two text encoders");
}

// No shape, however strange, does more than fail.
TEST(OneFile, SurvivesHostileShapes) {
  const OneFile good = Foreign(MakeModel(SmallConfig()));
  for (const auto& [name, view] : good.tensors) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{}, {0}, {1}, {1 << 30, 1}, {INT64_MAX}, {3, 0, 3, 3}, {32, 32, 1, 1}}) {
      if (shape == view.shape) continue;
      OneFile file = good;
      file.tensors[name].shape = shape;
      EXPECT_EQ(OpenOneFile(std::move(file), {}, true).status().code(), absl::StatusCode::kFailedPrecondition)
          << name;
    }
  }
}

TEST(OneFile, OldClipNamesLackTextModel) {
  const ModelSource model = MakeModel(SmallConfig());
  OneFile file = Foreign(model), old = file;
  old.tensors.clear();
  for (const auto& [name, view] : file.tensors) {
    const size_t at = name.find("transformer.text_model.");
    old.tensors[at == name.npos ? name : name.substr(0, at + 12) + name.substr(at + 23)] = view;
  }
  ASSERT_TRUE(old.tensors.contains("cond_stage_model.transformer.final_layer_norm.bias"));
  EXPECT_TRUE(SameTensors(OpenOneFile(old, {}, true)->text_encoder, model.text_encoder));
}

TEST(OneFile, AVaeOfItsOwn) {
  const ModelSource model = MakeModel(SmallConfig());
  OneFile bare;
  for (const auto& [name, view] : Foreign(model).tensors) {
    if (name.starts_with(kVaePrefix)) bare.tensors[name.substr(sizeof(kVaePrefix) - 1)] = view;
  }
  bare.tensors["loss.logvar"] = Scalar();
  bare.tensors["model_ema.decay"] = Scalar();
  for (const OneFile& file : {bare, Foreign(model)}) {
    const auto vae = VaeOfOneFile(file);
    ASSERT_TRUE(vae.ok()) << vae.status();
    EXPECT_EQ(vae->first.block_out_channels, model.config.vae.block_out_channels);
    EXPECT_TRUE(SameTensors(vae->second, model.vae));
  }
  EXPECT_EQ(VaeOfOneFile({}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(OneFile, FilesOfANewerProgramAreRefused) {
  OneFile file = Foreign(MakeModel(SmallConfig()));
  file.metadata[kFormatKey] = "2";
  ExpectRefused(file, "ip2p.format is \"2\"; wants 1");
}

}  // namespace
}  // namespace ip2p
