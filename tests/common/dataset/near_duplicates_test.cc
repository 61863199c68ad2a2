// Perceptual hashes, and finding near ones among many.
#include "common/dataset/near_duplicates.h"

#include <random>

#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/image/perceptual_hash.h"
#include "common/image/resize.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

// Blobs of a random 8x8 picture.
Image Blobs(unsigned seed) {
  std::mt19937 random(seed);
  Image coarse{.width = 8, .height = 8, .pixels = std::vector<uint8_t>(8 * 8 * 3)};
  for (uint8_t& value : coarse.pixels) value = static_cast<uint8_t>(random() % 256);
  return ResizeLanczos(coarse, {96, 96}).value();
}

TEST(DifferenceHash, SurvivesScalingAndCompression) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Image image = Blobs(seed);
    const uint64_t hash = DifferenceHash(image);
    const std::string jpeg = EncodeImage(image, {.format = ImageFormat::kJpeg, .quality = 80}).value();
    EXPECT_LE(Distance({hash, 0}, {DifferenceHash(DecodeImage(jpeg)->image), 0}), 2) << seed;
    EXPECT_LE(Distance({hash, 0}, {DifferenceHash(ResizeLanczos(image, {64, 64}).value()), 0}), 3) << seed;
    EXPECT_GT(Distance({hash, 0}, {DifferenceHash(Blobs(seed + 100)), 0}), 10) << seed;
  }
}

TEST(DifferenceHash, TakesPicturesOfAnySize) {
  EXPECT_EQ(DifferenceHash({}), 0U);
  EXPECT_EQ(DifferenceHash({.width = 1, .height = 1, .pixels = {1, 2, 3}}), 0U);
  Image ramp{.width = 9, .height = 1};
  for (int x = 0; x < 9; ++x) ramp.pixels.insert(ramp.pixels.end(), 3, static_cast<uint8_t>(20 * x));
  EXPECT_EQ(DifferenceHash(ramp), ~uint64_t{0});
}

TEST(NearDuplicates, FindsWhatIsNearAndNothingElse) {
  std::mt19937_64 random(7);
  std::vector<PairHash> hashes;
  NearDuplicates found;
  for (int i = 0; i < 20'000; ++i) {
    hashes.push_back({random(), random()});
    ASSERT_EQ(found.Add(hashes.back()), std::nullopt);
  }
  for (int i = 0; i < 1000; ++i) {
    PairHash near = hashes[static_cast<size_t>(i) * 17];
    for (int bit = 0; bit < NearDuplicates::kMaxDistance; ++bit) {
      (random() % 2 == 0 ? near.before : near.after) ^= uint64_t{1} << (random() % 64);
    }
    EXPECT_EQ(found.Add(near), i * 17);
  }
  PairHash far = hashes[0];
  far.before ^= 0xf;  // four bits
  EXPECT_EQ(found.Add(far), std::nullopt);
}

TEST(NearDuplicates, ManyEqualOnesStayQuick) {
  NearDuplicates found;
  EXPECT_EQ(found.Add({}), std::nullopt);
  for (int i = 1; i < 200'000; ++i) ASSERT_EQ(found.Add({}), 0);
}

}  // namespace
}  // namespace ip2p
