// What is counted and found wrong in a dataset of this system's own, with its scores.jsonl.
#include <filesystem>

#include "common/base/json.h"
#include "common/dataset/dataset_check.h"
#include "common/dataset/dataset_stats.h"
#include "common/dataset/prompt_folder.h"
#include "common/dataset/seeds_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

std::string NoiseJpeg(uint32_t seed) {
  Image image{.width = 16, .height = 16, .pixels = std::vector<uint8_t>(16 * 16 * 3)};
  for (uint8_t& value : image.pixels)
    value = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return EncodePairImage(image).value();
}

class OwnDatasetTest : public ::testing::Test {
 protected:
  // Six samples a prompt: two kept, one more that passed, one below each of direction and image, one NaN.
  OwnDatasetTest() {
    for (int64_t index = 0; index < 2; ++index) {
      std::vector<Sample> samples(6);
      for (size_t i = 0; i < samples.size(); ++i) {
        samples[i].sample_index = static_cast<int>(i);
        samples[i].seed = 10 + i;
        samples[i].scores = ClipScores{
            .sim_0 = 0.3, .sim_1 = 0.3, .sim_dir = i == 3 ? 0.1 : 0.3, .sim_image = i == 4 ? 0.6 : 0.8};
        samples[i].verdict = Judge(*samples[i].scores, {});
      }
      samples[5].scores.reset();
      samples[5].verdict = SampleVerdict::kNotFinite;
      MarkKept(samples, 2);  // seeds 12 and 11
      const auto start = static_cast<uint32_t>(100 * index);
      const std::vector<StoredPair> pairs = {
          {.seed = 11, .before = NoiseJpeg(start + 1), .after = NoiseJpeg(start + 2)},
          {.seed = 12, .before = NoiseJpeg(start + 3), .after = NoiseJpeg(start + 4)}};
      const PromptContents contents{
          .prompt_line = R"({"edit":"Make it blue"})", .samples = samples, .pairs = pairs};
      EXPECT_TRUE(PublishPrompt(folder_.path(), index, contents).ok());
    }
    folder_.Write("run.json", R"({"clip_threshold":0.2,"clip_dir_threshold":0.2,"clip_img_threshold":0.7})");
  }
  CheckReport Check() const { return CheckDataset(folder_.path(), {.threads = 1}).value(); }

  TempFolder folder_;
};

TEST_F(OwnDatasetTest, StatsTellWhatWasAcceptedAndWhy) {
  const DatasetStats stats = ReadDatasetStats(folder_.path(), nullptr).value();
  EXPECT_EQ(stats.pairs, 4);
  EXPECT_TRUE(stats.has_scores);
  EXPECT_EQ(stats.samples, 12);
  EXPECT_EQ(stats.passed, 6);
  EXPECT_EQ(stats.kept, 4);
  EXPECT_DOUBLE_EQ(stats.acceptance(), 0.5);
  EXPECT_THAT(stats.verdicts, ElementsAre(Pair("below_direction", 2), Pair("below_image", 2),
                                          Pair("not_finite", 2), Pair("passed", 6)));
  EXPECT_THAT(stats.instructions, ElementsAre(Pair("make", 2)));
  for (const ScoreHistogram& score : stats.scores) EXPECT_EQ(score.count(), 10);  // NaN has none
  EXPECT_NEAR(stats.scores[2].mean(), 0.26, 1e-9);

  const auto json = nlohmann::json::parse(DatasetStatsJson(stats), nullptr, false);
  EXPECT_EQ(json["samples"], 12);
  EXPECT_EQ(json["passed"], 6);
  EXPECT_EQ(json["kept"], 4);
  EXPECT_EQ(json["acceptance"], 0.5);
  EXPECT_EQ(json["verdicts"]["below_image"], 2);
  const auto& direction = json["scores"]["clip_sim_dir"];
  EXPECT_EQ(direction["threshold"], 0.2);
  int64_t all = 0, kept = 0;
  for (const int64_t count : direction["histogram"]["counts"]) all += count;
  for (const int64_t count : direction["histogram"]["kept"]) kept += count;
  EXPECT_EQ(all, 10);
  EXPECT_EQ(kept, 4);

  const std::string text = DatasetStatsText(stats);
  EXPECT_THAT(text, HasSubstr("passed                            6   50.0 %"));
  EXPECT_THAT(text, HasSubstr("kept                              4\n"));
  EXPECT_THAT(text, HasSubstr("not_finite                        2\n"));
  EXPECT_THAT(DatasetStatsSvg(stats), HasSubstr(">threshold</text>"));
  EXPECT_THAT(DatasetStatsPng(stats).value(), StartsWith("\x89PNG"));
}

TEST_F(OwnDatasetTest, AKeptPairThatIsNotThereIsAbsent) {
  EXPECT_EQ(Check().bad(), 0);
  ASSERT_TRUE(WriteSeedsFile(folder_.path()).ok());
  for (const char* const half : {"_0.jpg", "_1.jpg"}) {
    fs::remove(folder_.In(std::string("0000001/12") + half));
  }
  for (const bool with_seeds : {true, false}) {
    const CheckReport report = Check();
    ASSERT_EQ(report.bad(), 1) << with_seeds;  // not once more for seeds.json
    EXPECT_EQ(report.faults[0].kind, FaultKind::kAbsent);
    EXPECT_EQ(report.faults[0].place, "0000001/12_0.jpg");
    EXPECT_EQ(report.faults[0].more, "in scores.jsonl, and not there");
    fs::remove(folder_.In("seeds.json"));
  }
  fs::remove(folder_.In("0000001/scores.jsonl"));
  EXPECT_EQ(Check().faults[0].more, "in metadata.jsonl, and not there");
  fs::remove(folder_.In("0000000/11_1.jpg"));  // half of one is a fault of another kind
  EXPECT_EQ(Check().counts[FaultKind::kAbsent], 1);
  EXPECT_EQ(Check().counts[FaultKind::kMissingHalf], 1);
}

TEST_F(OwnDatasetTest, PairsBelowThresholdsAreNotListedAndThoseWithoutScoresAre) {
  for (const char* const scores : {"scores.jsonl", "metadata.jsonl"})
    fs::remove(folder_.In(std::string("0000001/") + scores));
  const PreparedSeeds prepared = WriteSeedsFile(folder_.path(), {.clip = 0.31, .dir = 0, .img = 0}).value();
  EXPECT_EQ(prepared.below, 2);
  EXPECT_EQ(prepared.pairs, 2);
  EXPECT_EQ(folder_.Read("seeds.json"), R"([["0000001", ["11", "12"]]])");
  EXPECT_EQ(Check().bad(), 0);
  EXPECT_EQ(WriteSeedsFile(folder_.path(), {.clip = 0.3, .dir = 0.3, .img = 0.8})->pairs, 4);
  EXPECT_EQ(WriteSeedsFile(folder_.path())->below, 0);
}

TEST(CheckDataset, WhatHoldsNoPromptIsNoDataset) {
  const TempFolder folder;
  EXPECT_THAT(std::string(CheckDataset(folder.path(), {}).status().message()),
              HasSubstr("holds no prompts; wants folders"));
  folder.Write("index.json", "{}");
  EXPECT_THAT(std::string(CheckDataset(folder.path(), {}).status().message()),
              HasSubstr("is a pack of shards"));
}

TEST(JudgeDataset, AThousandthMayBeBadAndNoMore) {
  CheckReport report{.pairs = 999,
                     .counts = {{FaultKind::kDamagedImage, 1}, {FaultKind::kNearDuplicate, 50}}};
  EXPECT_TRUE(JudgeDataset(report, kMaxBadShare).ok());
  report.pairs = 998;
  const absl::Status status = JudgeDataset(report, kMaxBadShare);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("(1 damaged_image); wants at most 0.1 %"));
  EXPECT_TRUE(JudgeDataset({}, kMaxBadShare).ok());
}

}  // namespace
}  // namespace ip2p
