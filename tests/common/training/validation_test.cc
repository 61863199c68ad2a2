// Validation's figures are those of the pictures that it wrote.
#include "common/training/validation.h"

#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "common/training/export_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/training/dataset_folder.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

constexpr int kPrompts = 60;
constexpr int kSamples = 3;  // the validation split of as many prompts
constexpr int kFirst = 54;

// A tiny CLIP on disk, in the layout that transformers reads.
std::string WriteClip(const TempFolder& folder) {
  ClipSource clip = RandomClip(TinyClipConfig(), 5);
  TensorMap weights;
  for (const auto& [name, view] : clip.tensors) weights.emplace("clip." + name, view);
  const nlohmann::json text = {{"vocab_size", 514},          {"hidden_size", 32},
                               {"intermediate_size", 64},    {"num_hidden_layers", 1},
                               {"num_attention_heads", 2},   {"eos_token_id", 513},
                               {"hidden_act", "quick_gelu"}, {"max_position_embeddings", 77}};
  const nlohmann::json vision = {
      {"hidden_size", 48}, {"intermediate_size", 96}, {"num_hidden_layers", 2},    {"num_attention_heads", 3},
      {"image_size", 32},  {"patch_size", 8},         {"hidden_act", "quick_gelu"}};
  const nlohmann::json config = {
      {"model_type", "clip"}, {"text_config", text}, {"vision_config", vision}, {"projection_dim", 24}};
  clip.config_json = config.dump();
  EXPECT_TRUE(ExportModel({.clip = clip}, weights, folder.In("clip")).ok());
  return folder.In("clip");
}

class ValidationTest : public ::testing::Test {
 protected:
  ValidationTest() {
    config_.batch_size = 2;
    config_.resolution = 64;
    config_.precision = Precision::kFloat32;
    config_.validation_samples = 8;
    start_.model = RandomModel(TinyConfig(), 1);
    dataset_ = WriteDataset(folder_, kPrompts);
  }

  absl::StatusOr<ValidationReport> Validate(const std::string& clip) {
    Trainer trainer(config_, *CreateObjective(config_, start_, {}), nullptr);
    IP2P_ASSIGN_OR_RETURN(
        Validation validation,
        Validation::Create(dataset_, config_, start_, trainer.objective(),
                           {.run = folder_.In("run"), .clip = clip, .device = "cpu", .edit_steps = 2}));
    return validation.Run(trainer);
  }

  std::string File(const std::string& name) const {
    return folder_.Read("run/validation/step-000000000/" + name);
  }
  torch::Tensor Picture(int index, const char* what) const {
    const auto decoded = DecodeImage(File(absl::StrFormat("%03d-%s.png", index, what)));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return (ImageToTensor(decoded->image, torch::kCPU) + 1) / 2;
  }

  const TempFolder folder_;
  TrainConfig config_;
  TrainStart start_;
  std::string dataset_;
};

TEST_F(ValidationTest, ScoresAreThoseOfTheWrittenPictures) {
  const std::string path = WriteClip(folder_);
  const auto report = Validate(path);
  ASSERT_TRUE(report.ok()) << report.status();
  const auto clip = *ClipScorer::Create(*OpenClip(path), torch::kCPU);
  double direction = 0, image = 0;
  for (int i = 0; i < kSamples; ++i) {
    const torch::Tensor before = clip->Images(Picture(i, "input"))[0],
                        edit = clip->Images(Picture(i, "edit"))[0];
    const torch::Tensor texts =
        clip->Texts({absl::StrCat("square ", kFirst + i), absl::StrCat("edited ", kFirst + i)});
    const ClipScores scores = ScoresOf(before, edit, texts[0], texts[1]);
    direction += scores.sim_dir / kSamples;
    image += scores.sim_image / kSamples;
  }
  ASSERT_TRUE(report->clip_direction.has_value() && report->clip_image.has_value());
  EXPECT_NEAR(*report->clip_direction, direction, 1e-12);
  EXPECT_NEAR(*report->clip_image, image, 1e-12);
  EXPECT_LT(image, 1 - 1e-4) << "edits that change nothing prove nothing";
  const auto metrics = nlohmann::json::parse(File("metrics.json"), nullptr, false);
  EXPECT_NEAR(metrics["clip_direction"].get<double>(), direction, 1e-8);
  EXPECT_NEAR(metrics["clip_image"].get<double>(), image, 1e-8);
}

TEST_F(ValidationTest, WithoutAClipNothingIsScored) {
  const auto report = Validate("");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->clip_direction || report->clip_image);
  EXPECT_GT(report->loss, 0);
  EXPECT_FALSE(nlohmann::json::parse(File("metrics.json"), nullptr, false).contains("clip_image"));
}

}  // namespace
}  // namespace ip2p
