// Samples as lines, and a prompt's folder that is there whole or not at all.
#include "common/dataset/prompt_folder.h"

#include <cerrno>
#include <filesystem>
#include <limits>
#include <set>

#include "common/base/sha256.h"
#include "common/dataset/dataset_reader.h"
#include "common/image/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

Sample Scored(int index, uint64_t seed, double dir) {
  return {.prompt_index = 12,
          .sample_index = index,
          .seed = seed,
          .p2p_threshold = 0.5,
          .cfg_scale = 7.5,
          .scores = ClipScores{.sim_0 = 0.3, .sim_1 = 0.25, .sim_dir = dir, .sim_image = 0.75}};
}

TEST(Judge, NamesTheFirstThresholdThatIsMissed) {
  const ClipThresholds limits;
  EXPECT_EQ(Judge({.sim_0 = 0.2, .sim_1 = 0.2, .sim_dir = 0.2, .sim_image = 0.7}, limits),
            SampleVerdict::kPassed);
  EXPECT_EQ(Judge({.sim_0 = 0.2, .sim_1 = 0.1, .sim_dir = 0, .sim_image = 0}, limits),
            SampleVerdict::kBelowClip);
  EXPECT_EQ(Judge({.sim_0 = 0.2, .sim_1 = 0.2, .sim_dir = 0.1, .sim_image = 0}, limits),
            SampleVerdict::kBelowDirection);
  EXPECT_EQ(Judge({.sim_0 = 0.2, .sim_1 = 0.2, .sim_dir = 0.2, .sim_image = 0.69}, limits),
            SampleVerdict::kBelowImage);
  EXPECT_EQ(
      Judge({.sim_0 = std::numeric_limits<double>::quiet_NaN(), .sim_1 = 1, .sim_dir = 1, .sim_image = 1},
            limits),
      SampleVerdict::kBelowClip);
}

TEST(MarkKept, TakesTheBestBySimDirAndThenTheHigherSeed) {
  std::vector<Sample> samples = {Scored(0, 5, 0.3), Scored(1, 6, 0.4), Scored(2, 7, 0.3), Scored(3, 8, 0.9)};
  samples[3].verdict = SampleVerdict::kBelowImage;
  samples[3].kept = true;
  MarkKept(samples, 2);
  EXPECT_FALSE(samples[0].kept);
  EXPECT_TRUE(samples[1].kept);
  EXPECT_TRUE(samples[2].kept);
  EXPECT_FALSE(samples[3].kept);
}

TEST(MetadataLine, HasTheReferencesKeysInItsOrder) {
  EXPECT_EQ(MetadataLine(Scored(0, 18446744073709551615U, 0.25)),
            R"({"seed":18446744073709551615,"p2p_threshold":0.5,"cfg_scale":7.5,"clip_sim_0":0.3,)"
            R"("clip_sim_1":0.25,"clip_sim_dir":0.25,"clip_sim_image":0.75})");
  Sample unscored = Scored(0, 1, 0);
  unscored.scores.reset();
  EXPECT_EQ(MetadataLine(unscored), R"({"seed":1,"p2p_threshold":0.5,"cfg_scale":7.5})");
}

TEST(ScoreLine, ReadsBackAsWritten) {
  Sample sample = Scored(3, 99, 0.1 + 0.2);
  sample.verdict = SampleVerdict::kUnsafe;
  EXPECT_EQ(ParseScoreLine(ScoreLine(sample), 12).value(), sample);
  sample.scores.reset();
  sample.kept = true;
  EXPECT_EQ(ParseScoreLine(ScoreLine(sample), 12).value(), sample);
  const PairDigests digests{.before = "ab", .after = "cd"};
  EXPECT_EQ(ParseDigests(ScoreLine(sample, digests)), digests);
  EXPECT_EQ(ParseDigests(ScoreLine(sample)), std::nullopt);
}

TEST(ParseScoreLine, SaysWhatIsWrong) {
  EXPECT_THAT(ParseScoreLine(R"({"seed":-1})", 0).status().message(), HasSubstr("seed"));
  EXPECT_THAT(ParseScoreLine(R"({"seed":1,"p2p_threshold":0.5,"cfg_scale":"x"})", 0).status().message(),
              HasSubstr("cfg_scale"));
  EXPECT_THAT(ParseScoreLine(R"({"seed":1,"p2p_threshold":0.5,"cfg_scale":7,"clip_sim_0":0.1})", 0)
                  .status()
                  .message(),
              HasSubstr("clip_sim_1"));
  EXPECT_FALSE(ParseScoreLine(R"({"seed":1,"p2p_threshold":0.5,"cfg_scale":7,"verdict":"good"})", 0).ok());
  EXPECT_FALSE(ParseScoreLine(R"({"seed":1,"p2p_threshold":0.5,"cfg_scale":7,"sample_index":-2})", 0).ok());
  EXPECT_TRUE(ParseScoreLine(R"({"seed":1,"p2p_threshold":0,"cfg_scale":7,"later":[]})", 0)->kept);
}

TEST(PromptFolderName, IsReadBackAndNothingElseIs) {
  EXPECT_EQ(PromptFolderName(12), "0000012");
  EXPECT_EQ(PromptIndexOf("0000012"), 12);
  EXPECT_EQ(PromptIndexOf(PromptFolderName(123456789)), 123456789);
  for (const char* const name :
       {"12", "00000012", "+000012", "-000012", " 000012", "000001x", ".tmp-0000012", ""}) {
    EXPECT_EQ(PromptIndexOf(name), std::nullopt) << name;
  }
}

class PromptFolderTest : public ::testing::Test {
 protected:
  PromptFolderTest() {
    samples_ = {Scored(0, 5, 0.3), Scored(1, 6, 0.1), Scored(2, 7, 0.4)};
    samples_[1].verdict = SampleVerdict::kBelowDirection;
    MarkKept(samples_, 4);
    pairs_ = {{.seed = 5, .before = "b5", .after = "a5"}, {.seed = 7, .before = "b7", .after = "a7"}};
  }

  PromptContents Contents() const {
    return {.prompt_line = "\xEF\xBB\xBF{\"edit\":\"e\"}\r\n", .samples = samples_, .pairs = pairs_};
  }
  std::set<std::string> Names(const std::string& folder) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
    return names;
  }

  TempFolder folder_;
  std::vector<Sample> samples_;
  std::vector<StoredPair> pairs_;
};

TEST_F(PromptFolderTest, HoldsWhatTheFormatSays) {
  ASSERT_TRUE(PublishPrompt(folder_.path(), 12, Contents()).ok());
  EXPECT_THAT(Names(folder_.In("0000012")),
              UnorderedElementsAre("prompt.json", "5_0.jpg", "5_1.jpg", "7_0.jpg", "7_1.jpg",
                                   "metadata.jsonl", "scores.jsonl"));
  EXPECT_EQ(folder_.Read("0000012/prompt.json"), "{\"edit\":\"e\"}");
  EXPECT_EQ(folder_.Read("0000012/metadata.jsonl"),
            MetadataLine(samples_[2]) + "\n" + MetadataLine(samples_[0]) + "\n");  // best first
  const DatasetReader reader = DatasetReader::Open(folder_.path()).value();
  const PromptRecord record = reader.ReadPrompt("0000012").value();
  EXPECT_EQ(record.samples, samples_);
  EXPECT_TRUE(record.has_scores);
  EXPECT_THAT(record.pairs, ElementsAre("5", "7"));
  EXPECT_EQ(record.digests.at("7").after, Sha256Hex("a7"));
  EXPECT_EQ(record.edit, "e");
}

TEST_F(PromptFolderTest, NothingAcceptedIsFinishedToo) {
  for (Sample& sample : samples_) sample.kept = false;
  pairs_.clear();
  EXPECT_FALSE(PromptFinished(folder_.path(), 12).value());
  ASSERT_TRUE(PublishPrompt(folder_.path(), 12, Contents()).ok());
  EXPECT_TRUE(PromptFinished(folder_.path(), 12).value());
  EXPECT_THAT(Names(folder_.In("0000012")), UnorderedElementsAre("prompt.json", "scores.jsonl"));
}

TEST_F(PromptFolderTest, IsPublishedOnceAndReplacedOnlyOnPurpose) {
  ASSERT_TRUE(PublishPrompt(folder_.path(), 12, Contents()).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(PublishPrompt(folder_.path(), 12, Contents())));
  pairs_[0].before = "changed";
  ASSERT_TRUE(ReplacePrompt(folder_.path(), 12, Contents()).ok());
  EXPECT_EQ(folder_.Read("0000012/5_0.jpg"), "changed");
  EXPECT_THAT(Names(folder_.path()), ElementsAre("0000012"));
  EXPECT_TRUE(absl::IsNotFound(ReplacePrompt(folder_.path(), 13, Contents())));
  EXPECT_THAT(Names(folder_.path()), ElementsAre("0000012"));
}

TEST_F(PromptFolderTest, PairsMustBeThoseOfTheKeptSamples) {
  pairs_.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(PublishPrompt(folder_.path(), 12, Contents())));
  samples_[0].seed = 7;  // twice one name
  pairs_ = {{.seed = 7}, {.seed = 7}};
  EXPECT_TRUE(absl::IsInvalidArgument(PublishPrompt(folder_.path(), 12, Contents())));
}

// Each write, sync and rename fails once: the folder is whole or absent, nothing is left, and the next try
// works.
TEST_F(PromptFolderTest, AFaultOfTheDiskAtAnyPointLeavesAllOrNothing) {
  int failures = 0;
  for (const int error : {ENOSPC, EIO}) {
    for (int call = 1;; ++call) {
      absl::Status status;
      bool failed = false;
      {
        const FailingDisk disk(call, error);
        status = PublishPrompt(folder_.path(), 12, Contents());
        failed = FailingDisk::failed();
      }
      if (!failed) {
        ASSERT_TRUE(status.ok()) << status;
        break;
      }
      ++failures;
      const bool retryable =
          error == ENOSPC ? absl::IsResourceExhausted(status) : absl::IsUnavailable(status);
      EXPECT_TRUE(retryable) << "call " << call << ": " << status;
      EXPECT_EQ(status.message().find(folder_.path()), std::string::npos) << status;
      const std::set<std::string> names = Names(folder_.path());
      if (!names.empty()) {  // only the last sync came after the rename
        EXPECT_THAT(names, ElementsAre("0000012")) << "call " << call;
        EXPECT_EQ(Names(folder_.In("0000012")).size(), 7U);
      }
      fs::remove_all(folder_.In("0000012"));
    }
    fs::remove_all(folder_.In("0000012"));
  }
  EXPECT_GT(failures,
            40);  // a folder, seven files with open, write and sync, a rename, two folder syncs; twice
}

TEST(EncodePairImage, IsAJpegOfTheBestQuality) {
  Image image{.width = 16, .height = 16, .pixels = std::vector<uint8_t>(16 * 16 * 3, 200)};
  const std::string jpeg = EncodePairImage(image).value();
  const DecodedImage decoded = DecodeImage(jpeg).value();
  EXPECT_EQ(decoded.format, ImageFormat::kJpeg);
  EXPECT_EQ(decoded.image, image);  // flat colour survives quality 100
}

}  // namespace
}  // namespace ip2p
