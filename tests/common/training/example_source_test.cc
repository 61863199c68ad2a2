#include "common/training/example_source.h"

#include "common/dataset/pack.h"
#include "common/training/augment.h"
#include "gmock/gmock.h"
#include "tests/common/training/dataset_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

TEST(Split, SharesAreTheReferences) {
  EXPECT_EQ(RangeOf(Split::kTrain, 100).end, 90);
  EXPECT_EQ(RangeOf(Split::kValidation, 100).begin, 90);
  EXPECT_EQ(RangeOf(Split::kValidation, 100).end, 95);
  EXPECT_EQ(RangeOf(Split::kTest, 100).end, 100);
  EXPECT_EQ(RangeOf(Split::kTrain, 19).end, 17);  // floor(0.9 * 19)
}

TEST(OpenExamples, PairsWithTheirInstruction) {
  const TempFolder folder;
  const std::string data = WriteDataset(folder, 20);
  const auto source = OpenExamples(data, TrainObjective::kInstructPix2Pix, Split::kTrain);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 18);
  const auto example = (*source)->Get(3, 1);
  ASSERT_TRUE(example.ok()) << example.status();
  EXPECT_EQ(example->text, "make it 3");
  EXPECT_EQ(example->caption, "square 3");
  EXPECT_EQ(example->before, folder.Read("data/0000003/12_0.jpg"));
}

TEST(OpenExamples, PicturesOfPairsHaveTheirOwnCaptions) {
  const TempFolder folder;
  const auto source = OpenExamples(WriteDataset(folder, 20), TrainObjective::kTextToImage, Split::kTest);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_EQ((*source)->size(), 2);
  EXPECT_EQ((*source)->Get(0, 0)->text, "square 19");
  EXPECT_EQ((*source)->Get(1, 0)->text, "edited 19");
  EXPECT_TRUE((*source)->Get(1, 0)->before.empty());
}

TEST(OpenExamples, APackGivesWhatItsFolderGives) {
  const TempFolder folder;
  const std::string data = WriteDataset(folder, 20);
  ASSERT_TRUE(PackDataset(data, folder.In("packed"), {.shard_bytes = 20480}).ok());
  const auto from_folder = OpenExamples(data, TrainObjective::kInstructPix2Pix, Split::kTrain);
  const auto packed = OpenExamples(folder.In("packed"), TrainObjective::kInstructPix2Pix, Split::kTrain);
  ASSERT_TRUE(packed.ok()) << packed.status();
  ASSERT_EQ((*packed)->size(), (*from_folder)->size());
  for (int64_t i = 0; i < (*packed)->size(); ++i) {
    const auto a = (*from_folder)->Get(i, i), b = (*packed)->Get(i, i);
    ASSERT_TRUE(b.ok()) << b.status();
    EXPECT_EQ(a->after, b->after);
    EXPECT_EQ(a->text, b->text);
  }
}

TEST(OpenExamples, PictureFolder) {
  const TempFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    folder.Write(absl::StrCat("p", i, ".png"), PictureBytes(64, i, 0, ImageFormat::kPng));
    lines += absl::StrFormat("{\"file_name\":\"p%d.png\",\"text\":\"picture %d\"}\n", i, i);
  }
  folder.Write("metadata.jsonl", lines);
  const auto source = OpenExamples(folder.path(), TrainObjective::kClip, Split::kTrain);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->size(), 18);
  EXPECT_EQ((*source)->Get(2, 0)->text, "picture 2");
  EXPECT_FALSE(OpenExamples(folder.path(), TrainObjective::kInstructPix2Pix, Split::kTrain).ok());
  folder.Write("metadata.jsonl", lines + "{\"file_name\":\"../x.png\",\"text\":\"t\"}\n");
  EXPECT_THAT(
      std::string(OpenExamples(folder.path(), TrainObjective::kClip, Split::kTrain).status().message()),
      HasSubstr("1 of 21 lines of metadata.jsonl are damaged"));
}

TEST(OpenExamples, MissingThings) {
  const TempFolder folder;
  EXPECT_EQ(OpenExamples(folder.In("none"), TrainObjective::kClip, Split::kTrain).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(OpenExamples(folder.path(), TrainObjective::kClip, Split::kTrain).status().message()),
      HasSubstr("ip2p dataset prepare"));
}

TEST(Augment, BothPicturesAlike) {
  const RawExample raw{.before = PictureBytes(80, 200, 0, ImageFormat::kPng),
                       .after = PictureBytes(80, 200, 100, ImageFormat::kPng)};
  const AugmentConfig config{.crop = 64, .min_resize = 64, .max_resize = 96, .flip = true};
  int mirrored = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto example = Augment(raw, config, seed);
    ASSERT_TRUE(example.ok()) << example.status();
    ASSERT_EQ(example->before.width, 64);
    bool equal = true;
    for (size_t i = 0; i < example->before.pixels.size(); i += 3)
      equal &= std::abs(example->before.pixels[i] - example->after.pixels[i]) < 3;  // red is not edited
    EXPECT_TRUE(equal) << "seed " << seed;
    mirrored += example->before.pixels[0] > 128 && example->before.pixels[63 * 3] < 128 ? 1 : 0;
    EXPECT_EQ(Augment(raw, config, seed)->after, example->after) << "not the same twice";
  }
  EXPECT_GT(mirrored, 5);
  EXPECT_LT(mirrored, 35);
}

}  // namespace
}  // namespace ip2p
