// config.json files: diffusers' defaults, its misnomers, and the refusal of whatever is not implemented.
#include "common/checkpoint/model_config_json.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ModelConfigJson, RoundTrips) {
  ModelConfig odd = testing::SmallSd2Config();
  odd.unet.layers_per_block = {1, 3};
  odd.unet.norm_num_groups = 8;
  odd.unet.norm_eps = 1e-6;
  odd.unet.freq_shift = 1;
  odd.vae.mid_block_attention = false;
  odd.vae.scaling_factor = 0.13025;
  odd.scheduler = {.num_train_timesteps = 500,
                   .beta_start = 0.1,
                   .beta_end = 0.2,
                   .scaled_linear = false,
                   .prediction = PredictionType::kVPrediction,
                   .steps_offset = 0,
                   .set_alpha_to_one = true};
  for (const ModelConfig& c : {ModelConfig(), testing::SmallConfig(), odd}) {
    EXPECT_EQ(*ParseUNetConfig(UNetConfigJson(c.unet)), c.unet);
    EXPECT_EQ(*ParseVaeConfig(VaeConfigJson(c.vae)), c.vae);
    EXPECT_EQ(*ParseSchedulerConfig(SchedulerConfigJson(c.scheduler)), c.scheduler);
    TextEncoderConfig text = c.text_encoder;
    text.bos_token_id = 49406, text.eos_token_id = text.pad_token_id = 49407;  // the tokenizer's affair
    EXPECT_EQ(*ParseTextEncoderConfig(TextEncoderConfigJson(c.text_encoder)), text);
  }
}

TEST(ModelConfigJson, MissingFieldsTakeDiffusersDefaults) {
  const UNetConfig unet = *ParseUNetConfig("{}");
  EXPECT_EQ(unet.in_channels, 4);
  EXPECT_EQ(unet.cross_attention_dim, 1280);
  EXPECT_THAT(unet.attention_heads, ElementsAre(8, 8, 8, 8));
  EXPECT_THAT(unet.attention, ElementsAre(true, true, true, false));
  const VaeConfig vae = *ParseVaeConfig("{}");
  EXPECT_THAT(vae.block_out_channels, ElementsAre(64));
  EXPECT_EQ(vae.layers_per_block, 1);
  const TextEncoderConfig text = *ParseTextEncoderConfig("{}");
  EXPECT_EQ(text.hidden_size, 512);
  EXPECT_EQ(text.num_heads, 8);
  const SchedulerConfig scheduler = *ParseSchedulerConfig("{}");
  EXPECT_EQ(scheduler.beta_end, 0.02);
  EXPECT_FALSE(scheduler.scaled_linear);
  EXPECT_FALSE(scheduler.set_alpha_to_one);
  EXPECT_TRUE(ParseSchedulerConfig(R"({"_class_name": "DDIMScheduler"})")->set_alpha_to_one);
}

TEST(ModelConfigJson, NumbersOrListsPerLevel) {
  const UNetConfig unet = *ParseUNetConfig(
      R"({"attention_head_dim": [5, 10, 20, 20], "layers_per_block": [1, 2, 3, 4], "cross_attention_dim": [7, 7, 7, 7],
          "sample_size": [96, 96], "transformer_layers_per_block": [2, 2, 2, 2]})");
  EXPECT_THAT(unet.attention_heads, ElementsAre(5, 10, 20, 20));
  EXPECT_THAT(unet.layers_per_block, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(unet.cross_attention_dim, 7);
  EXPECT_EQ(unet.transformer_layers, 2);
  EXPECT_EQ(unet.sample_size, 96);
  EXPECT_THAT(ParseUNetConfig(R"({"num_attention_heads": 4, "attention_head_dim": 40})")->attention_heads,
              ElementsAre(4, 4, 4, 4));
}

struct BadConfig {
  const char* what;
  const char* json;
  const char* message;
};

class BadUNet : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadUNet, IsRefusedByName) {
  const absl::Status status = ParseUNetConfig(GetParam().json).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("unet/config.json: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadUNet,
    ::testing::Values(
        BadConfig{"Activation", R"({"act_fn": "gelu"})", R"(act_fn is "gelu"; wants "silu")"},
        BadConfig{"ClassEmbedding", R"({"class_embed_type": "timestep"})", "class_embed_type"},
        BadConfig{"NumClasses", R"({"num_class_embeds": 1000})", R"("num_class_embeds" is 1000; wants)"},
        BadConfig{"OnlyCross", R"({"only_cross_attention": true})", "only_cross_attention"},
        BadConfig{"DualCross", R"({"dual_cross_attention": true})", "dual_cross_attention"},
        BadConfig{"Sdxl", R"({"addition_embed_type": "text_time"})", "addition_embed_type"},
        BadConfig{"ScaleShift", R"({"resnet_time_scale_shift": "scale_shift"})", "resnet_time_scale_shift"},
        BadConfig{"MidBlock", R"({"mid_block_type": "UNetMidBlock2D"})", "mid_block_type"},
        BadConfig{"ConvKernel", R"({"conv_in_kernel": 1})", "conv_in_kernel is 1; wants 3"},
        BadConfig{"TimeEmbedding", R"({"time_embedding_type": "fourier"})", "time_embedding_type"},
        BadConfig{"Gated", R"({"attention_type": "gated"})", "attention_type"},
        BadConfig{"Unknown", R"({"from_the_future": 3})",
                  R"("from_the_future" is 3; wants a field that is known)"},
        BadConfig{
            "UnknownBlock",
            R"({"block_out_channels": [32], "down_block_types": ["AttnDownBlock2D"], "up_block_types": ["UpBlock2D"]})",
            "down_block_types is [\"AttnDownBlock2D\"]; wants CrossAttnDownBlock2D or DownBlock2D"},
        BadConfig{
            "NoMirror",
            R"({"block_out_channels": [32, 32], "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
                      "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]})",
            "wants UpBlock2D, CrossAttnUpBlock2D"},
        BadConfig{"BlockCount", R"({"block_out_channels": [32, 64]})",
                  "down_block_types is a list of 4; wants 2"},
        BadConfig{"Groups", R"({"norm_num_groups": 7})", "wants a multiple of norm_num_groups 7"},
        BadConfig{"Heads", R"({"attention_head_dim": 7})", "a number of heads that divides 320"},
        BadConfig{"HeadList", R"({"attention_head_dim": [8, 8]})", "or a list of 4"},
        BadConfig{"UnevenContext", R"({"cross_attention_dim": [1, 2, 3, 4]})", "one number for all levels"},
        BadConfig{"NestedDepths", R"({"transformer_layers_per_block": [[1, 1], 1, 1, 1]})",
                  "transformer_layers"},
        BadConfig{"TextForNumber", R"({"in_channels": "8"})",
                  "in_channels is \"8\"; wants a whole number in 1..1024"},
        BadConfig{"Zero", R"({"in_channels": 0})", "in_channels is 0"},
        BadConfig{"Negative", R"({"block_out_channels": [-32]})", "block_out_channels is [-32]"},
        BadConfig{"Huge", R"({"block_out_channels": [18446744073709551615]})", "block_out_channels"},
        BadConfig{"Fraction", R"({"in_channels": 4.0})", "in_channels is 4.0"},
        BadConfig{"NineLevels", R"({"block_out_channels": [32,32,32,32,32,32,32,32,32]})", "1..8"}),
    [](const auto& test) { return test.param.what; });

TEST(ModelConfigJson, ListsAllFaults) {
  const absl::Status status = ParseUNetConfig(R"({"act_fn": "mish", "in_channels": 0, "x": 1})").status();
  for (const char* part : {"act_fn", "in_channels", "\"x\""})
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
}

TEST(ModelConfigJson, OtherPartsRefuseTheirOwn) {
  const auto refused = [](const absl::Status& status, const char* message) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  };
  refused(ParseVaeConfig(R"({"act_fn": "relu"})").status(), "vae/config.json: act_fn");
  refused(ParseVaeConfig(R"({"use_quant_conv": false})").status(), "use_quant_conv");
  refused(ParseVaeConfig(R"({"shift_factor": 0.1})").status(), "shift_factor");
  refused(ParseVaeConfig(R"({"latents_mean": [0, 0, 0, 0]})").status(), "latents_mean");
  refused(ParseVaeConfig(R"({"down_block_types": ["AttnDownEncoderBlock2D"]})").status(),
          "1 times DownEncoderBlock2D");
  refused(ParseVaeConfig(R"({"sample_size": [512, 256]})").status(), "sample_size");
  refused(ParseTextEncoderConfig(R"({"hidden_act": "relu"})").status(), "quick_gelu or gelu");
  refused(ParseTextEncoderConfig(R"({"model_type": "bert"})").status(), "clip_text_model");
  refused(ParseTextEncoderConfig(R"({"num_attention_heads": 7})").status(), "a divisor of 512");
  refused(ParseSchedulerConfig(R"({"beta_schedule": "squaredcos_cap_v2"})").status(),
          "scaled_linear or linear");
  refused(ParseSchedulerConfig(R"({"prediction_type": "sample"})").status(), "epsilon or v_prediction");
  refused(ParseSchedulerConfig(R"({"trained_betas": [0.1]})").status(), "trained_betas");
  refused(ParseSchedulerConfig(R"({"rescale_betas_zero_snr": true})").status(), "rescale_betas_zero_snr");
}

TEST(ModelConfigJson, WhatIsNoJsonIsDamaged) {
  for (const std::string& text : {std::string("hello"), std::string(), std::string("[]"), std::string("{"),
                                  std::string(1 << 20, '['), std::string("{\"a\":\"\xff\"}")}) {
    EXPECT_EQ(ParseUNetConfig(text).status().code(), absl::StatusCode::kDataLoss) << text.substr(0, 20);
  }
  // Too deep to print or free by recursion; cut off, not followed.
  const std::string deep = "{\"x\":" + std::string(1 << 20, '[') + std::string(1 << 20, ']') + "}";
  EXPECT_FALSE(ParseUNetConfig(deep).ok());
}

}  // namespace
}  // namespace ip2p
