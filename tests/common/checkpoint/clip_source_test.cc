// OpenClip and OpenSafetyChecker on real folders: what opens, what is refused with which code.
#include "common/checkpoint/clip_source.h"

#include "absl/strings/str_cat.h"
#include "common/checkpoint/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;
constexpr char kClip[] = R"({"model_type": "clip", "projection_dim": 6,
  "text_config": {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                  "vocab_size": 4, "max_position_embeddings": 8, "eos_token_id": 3},
  "vision_config": {"hidden_size": 12, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
                    "image_size": 16, "patch_size": 4}})";
constexpr char kPreprocessor[] = R"({"size": 16, "crop_size": 16, "image_mean": [0.1, 0.2, 0.3]})";

ClipConfig Config() {
  ClipConfig c;
  c.text = testing::SmallConfig().text_encoder;
  c.text.hidden_size = 8, c.text.intermediate_size = 16, c.text.num_layers = 1;
  c.vision = {.hidden_size = 12,
              .intermediate_size = 24,
              .num_layers = 2,
              .num_heads = 3,
              .image_size = 16,
              .patch_size = 4};
  c.projection_dim = 6;
  return c;
}

class ClipSourceTest : public ::testing::Test {
 protected:
  // A folder of config and weights; the tokenizer's files where there is a text tower.
  std::string Folder(const std::string& name, const TensorMap& tensors, const std::string& config = kClip) {
    fs::create_directories(temp_.Path(name));
    temp_.Write(name + "/config.json", config);
    temp_.Write(name + "/vocab.json", R"({"!": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3})");
    temp_.Write(name + "/merges.txt", "#version: 0.2\n");
    EXPECT_TRUE(WriteSafetensors(temp_.Path(name + "/model.safetensors"), tensors, {}).ok());
    return temp_.Path(name);
  }
  template <typename T>
  void ExpectRefused(const absl::StatusOr<T>& source, absl::StatusCode code, const std::string& message) {
    EXPECT_EQ(source.status().code(), code) << source.status();
    EXPECT_THAT(std::string(source.status().message()), HasSubstr(message));
    EXPECT_THAT(std::string(source.status().message()), Not(HasSubstr(temp_.root().string())));
  }

  testing::TempFolder temp_;
};

TEST_F(ClipSourceTest, OpensAClip) {
  const TensorMap tensors = testing::MakeTensors(ClipTensors(Config()));
  const auto source = OpenClip(Folder("clip", tensors));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_TRUE(testing::SameTensors(source->tensors, tensors));
  EXPECT_EQ(source->config.pooled_token, 3);
  EXPECT_EQ(source->config.text.bos_token_id, 2);
  EXPECT_EQ(source->config.text.eos_token_id, 3);
  EXPECT_EQ(source->config.vision, Config().vision);
  EXPECT_THAT(source->vocab_json, HasSubstr("<|endoftext|>"));
  EXPECT_EQ(source->preprocessing, ClipPreprocessing()) << "OpenAI's, where none is given";
}

TEST_F(ClipSourceTest, TakesTheProcessorFromEitherFile) {
  const std::string folder = Folder("clip", testing::MakeTensors(ClipTensors(Config())));
  temp_.Write("clip/processor_config.json", absl::StrCat("{\"image_processor\": ", kPreprocessor,
                                                         ", \"processor_class\": \"CLIPProcessor\"}"));
  EXPECT_EQ(OpenClip(folder)->preprocessing.mean[1], 0.2F);
  temp_.Write("clip/preprocessor_config.json", R"({"image_mean": [0.4, 0.5, 0.6]})");
  EXPECT_EQ(OpenClip(folder)->preprocessing.mean[1], 0.5F);
  temp_.Write("clip/preprocessor_config.json", "{");
  ExpectRefused(OpenClip(folder), kDamaged, "CLIP: preprocessor_config.json is not a JSON object");
}

TEST_F(ClipSourceTest, CountersArePassedOver) {
  TensorMap tensors = testing::MakeTensors(ClipTensors(Config()));
  const TensorView counter = testing::MakeTensors({{"x", {1, 8}}}).at("x");
  tensors["text_model.embeddings.position_ids"] = counter;
  tensors["vision_model.embeddings.position_ids"] = counter;
  EXPECT_TRUE(OpenClip(Folder("clip", tensors)).ok());
}

TEST_F(ClipSourceTest, WeightsMustFitTheConfigBothWays) {
  TensorMap tensors = testing::MakeTensors(ClipTensors(Config()));
  tensors.erase("visual_projection.weight");
  tensors["vision_model.encoder.layers.2.layer_norm1.bias"] = tensors.at("vision_model.pre_layrnorm.bias");
  tensors["logit_scale"] = tensors.at("vision_model.pre_layrnorm.bias");
  const auto source = OpenClip(Folder("clip", tensors));
  ExpectRefused(source, kPrecondition, "visual_projection.weight is missing");
  ExpectRefused(source, kPrecondition, "\"vision_model.encoder.layers.2.layer_norm1.bias\" is unexpected");
  ExpectRefused(source, kPrecondition, "logit_scale is [12]; wants []");
}

TEST_F(ClipSourceTest, NamesTenFaultsAndCountsTheRest) {
  const auto source = OpenClip(Folder("clip", {}));
  ExpectRefused(source, kPrecondition, "logit_scale is missing");
  ExpectRefused(source, kPrecondition, absl::StrCat("and ", ClipTensors(Config()).size() - 10, " more"));
}

TEST_F(ClipSourceTest, RefusesWhatIsNoFolderOfAClip) {
  ExpectRefused(OpenClip(temp_.Path("nothing")), absl::StatusCode::kNotFound,
                "CLIP: the folder does not exist");
  ExpectRefused(OpenClip(temp_.Write("file", "x")), absl::StatusCode::kInvalidArgument, "not a folder");
  fs::create_directories(temp_.Path("empty"));
  ExpectRefused(OpenClip(temp_.Path("empty")), absl::StatusCode::kNotFound, "config.json");
  temp_.Write("empty/config.json", kClip);
  ExpectRefused(OpenClip(temp_.Path("empty")), absl::StatusCode::kNotFound, "model.safetensors");
  const std::string folder = Folder("torn", testing::MakeTensors(ClipTensors(Config())));
  fs::resize_file(folder + "/model.safetensors", 5000);
  EXPECT_EQ(OpenClip(folder).status().code(), kDamaged);
}

TEST_F(ClipSourceTest, OpensASafetyCheckerWithEitherSpelling) {
  const TensorMap tensors = testing::MakeTensors(SafetyCheckerTensors(Config()));
  TensorMap published;
  for (const auto& [name, view] : tensors)
    published[name.starts_with("vision_model.") ? absl::StrCat("vision_model.", name) : name] = view;
  fs::create_directories(temp_.Path("feature_extractor"));
  temp_.Write("feature_extractor/preprocessor_config.json", kPreprocessor);
  for (const TensorMap& written : {tensors, published}) {
    const auto source = OpenSafetyChecker(Folder("safety_checker", written));
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_TRUE(testing::SameTensors(source->tensors, tensors));
    EXPECT_EQ(source->preprocessing.mean[0], 0.1F) << "from the folder beside";
  }
}

TEST_F(ClipSourceTest, ASafetyCheckersCropIsItsTowersSize) {
  const std::string folder = Folder("checker", testing::MakeTensors(SafetyCheckerTensors(Config())));
  ExpectRefused(OpenSafetyChecker(folder), kPrecondition,
                "safety checker: preprocessor_config.json: crop_size is 224; wants the tower's 16");
}

TEST_F(ClipSourceTest, AClipIsNoSafetyChecker) {
  const std::string folder = Folder("clip", testing::MakeTensors(ClipTensors(Config())));
  temp_.Write("clip/preprocessor_config.json", kPreprocessor);
  ExpectRefused(OpenSafetyChecker(folder), kPrecondition, "concept_embeds is missing");
}

}  // namespace
}  // namespace ip2p
