// A CLIP's config.json and preprocessor_config.json: transformers' defaults and precedence, and the refusal
// of whatever is not implemented.
#include "common/checkpoint/clip_config_json.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

void ExpectRefused(const absl::Status& status, const std::string& message) {
  EXPECT_EQ(status.code(), kPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(ClipConfigJson, MissingFieldsTakeTransformersDefaults) {
  const ClipConfig c = *ParseClipConfig(R"({"model_type": "clip"})", "config.json");
  EXPECT_EQ(c.vision, ClipVisionConfig());
  EXPECT_EQ(c.text.hidden_size, 512);
  EXPECT_EQ(c.text.num_heads, 8);
  EXPECT_EQ(c.projection_dim, 512);
  EXPECT_EQ(c.pooled_token, 49407);
}

TEST(ClipConfigJson, ReadsPublishedOnesWithTheirSettingsOfGeneration) {
  const ClipConfig c = *ParseClipConfig(R"({"model_type": "clip", "projection_dim": 1024,
    "text_config": {"hidden_size": 1024, "num_attention_heads": 16, "hidden_act": "gelu", "eos_token_id": 2,
                    "top_k": 50, "length_penalty": 1.0, "torchscript": false, "bad_words_ids": null},
    "vision_config": {"hidden_size": 1280, "num_attention_heads": 16, "num_hidden_layers": 32, "patch_size": 14,
                      "hidden_act": "gelu", "image_size": 336, "num_beams": 1}})",
                                        "config.json");
  EXPECT_FALSE(c.text.quick_gelu);
  EXPECT_FALSE(c.vision.quick_gelu);
  EXPECT_EQ(c.pooled_token, std::nullopt) << "2 was never right";
  EXPECT_EQ(c.projection_dim, 1024);
  EXPECT_EQ(c.vision.patches(), 24 * 24);
}

TEST(ClipConfigJson, AConfigDictReplacesTheConfigOfItsName) {
  const ClipConfig c = *ParseClipConfig(R"({"model_type": "clip",
    "text_config": {"hidden_size": 96, "num_attention_heads": 3, "hidden_act": "gelu"},
    "text_config_dict": {"hidden_size": 64},
    "vision_config": {"patch_size": 16}, "vision_config_dict": null})",
                                        "config.json");
  EXPECT_EQ(c.text.hidden_size, 64);
  EXPECT_EQ(c.text.num_heads, 8);
  EXPECT_TRUE(c.text.quick_gelu);
  EXPECT_EQ(c.vision.patch_size, 16);
}

TEST(ClipConfigJson, RefusesWhatItDoesNotKnow) {
  const auto parse = [](const std::string& fields) {
    return ParseClipConfig(R"({"model_type": "clip", )" + fields + "}", "config.json").status();
  };
  ExpectRefused(ParseClipConfig(R"({"model_type": "siglip"})", "config.json").status(),
                R"(model_type is "siglip"; wants "clip")");
  ExpectRefused(ParseClipConfig("{}", "config.json").status(), "model_type is missing");
  ExpectRefused(parse(R"("vision_config": {"hidden_act": "gelu_new"})"), "hidden_act is \"gelu_new\"");
  ExpectRefused(parse(R"("vision_config": {"num_channels": 4})"), "num_channels is 4; wants 3");
  ExpectRefused(parse(R"("vision_config": {"image_size": [224, 336]})"), "one number");
  ExpectRefused(parse(R"("vision_config": {"image_size": 16, "patch_size": 32})"),
                "at most the image_size 16");
  ExpectRefused(parse(R"("vision_config": {"num_attention_heads": 7})"), "a divisor of 768");
  ExpectRefused(parse(R"("vision_config": {"model_type": "siglip_vision_model"})"), "clip_vision_model");
  ExpectRefused(parse(R"("text_config": {"num_hidden_layers": -1})"), "config.json text_config");
  ExpectRefused(parse(R"("text_config": {"hidden_size": 1e9})"), "a whole number");
  ExpectRefused(parse(R"("projection_dim": -1)"), "projection_dim is -1");
  EXPECT_EQ(parse(R"("text_config": 5)").code(), absl::StatusCode::kDataLoss);
  for (const char* text : {"", "[]", "{", "null"})
    EXPECT_EQ(ParseClipConfig(text, "config.json").status().code(), absl::StatusCode::kDataLoss) << text;
}

TEST(ClipConfigJson, TheTextOfAConfigTellsConfigsApart) {
  ClipConfig a, b;
  EXPECT_EQ(ClipConfigText(a), ClipConfigText(b));
  b.vision.layer_norm_eps = 1e-6;
  EXPECT_NE(ClipConfigText(a), ClipConfigText(b));
  b = a;
  b.pooled_token.reset();
  EXPECT_NE(ClipConfigText(a), ClipConfigText(b));
}

TEST(ClipPreprocessingJson, ReadsBothSpellingsOfASize) {
  EXPECT_EQ(*ParseClipPreprocessing("{}", "p"), ClipPreprocessing());
  const auto old = *ParseClipPreprocessing(R"({"size": 336, "crop_size": 300, "resample": 3})", "p");
  EXPECT_EQ(old.shortest_edge, 336);
  EXPECT_EQ(old.crop_size, 300);
  const auto now = *ParseClipPreprocessing(
      R"({"size": {"shortest_edge": 64}, "crop_size": {"height": 32, "width": 32}, "image_mean": [0, 0.5, 1]})",
      "p");
  EXPECT_EQ(now.shortest_edge, 64);
  EXPECT_EQ(now.crop_size, 32);
  EXPECT_EQ(now.mean, (std::array<float, 3>{0, 0.5, 1}));
  EXPECT_EQ(now.std, ClipPreprocessing().std);
}

TEST(ClipPreprocessingJson, RefusesOtherSteps) {
  const auto parse = [](const char* text) { return ParseClipPreprocessing(text, "p").status(); };
  ExpectRefused(parse(R"({"do_center_crop": false, "resample": 2})"), "do_center_crop is false; wants true");
  ExpectRefused(parse(R"({"do_center_crop": false, "resample": 2})"), "resample is 2; wants 3");
  ExpectRefused(parse(R"({"crop_size": {"height": 32, "width": 64}})"), "one side");
  ExpectRefused(parse(R"({"crop_size": {}})"), "one side");
  ExpectRefused(parse(R"({"size": 100, "crop_size": 200})"), "at most the size 100");
  ExpectRefused(parse(R"({"image_std": [0.2, 0, 0.2]})"), "three numbers");
  ExpectRefused(parse(R"({"image_mean": [0.2, 0.2]})"), "three numbers");
  ExpectRefused(parse(R"({"rescale_factor": 1})"), "rescale_factor is 1");
}

}  // namespace
}  // namespace ip2p
