// Limits of pair generation.
#include <cmath>
#include <limits>

#include "common/pipeline/pair_types.h"
#include "gmock/gmock.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

TEST(ValidatePairsTest, DefaultsAndTheEndsOfEveryRangeAreGood) {
  EXPECT_TRUE(ValidatePairs({}).ok());
  PairParams least{.steps = 1,
                   .n_samples = 1,
                   .max_out_samples = 1,
                   .min_p2p = 0,
                   .max_p2p = 0,
                   .min_cfg = 0,
                   .max_cfg = 0,
                   .thresholds = {-1, -1, -1},
                   .resolution = 64};
  EXPECT_TRUE(ValidatePairs(least).ok());
  PairParams most{.steps = 1000,
                  .n_samples = 10000,
                  .max_out_samples = 1000,
                  .min_p2p = 1,
                  .max_p2p = 1,
                  .min_cfg = 100,
                  .max_cfg = 100,
                  .thresholds = {1, 1, 1},
                  .resolution = 1024};
  EXPECT_TRUE(ValidatePairs(most).ok());
}

TEST(ValidatePairsTest, ListsAllFaults) {
  PairParams params{.steps = 0,
                    .n_samples = 10001,
                    .max_out_samples = 0,
                    .min_p2p = 0.5,
                    .max_p2p = 0.4,
                    .common_steps = 1.5,
                    .whole_common_steps = -0.5,
                    .min_cfg = std::numeric_limits<double>::quiet_NaN(),
                    .max_cfg = std::numeric_limits<double>::infinity(),
                    .thresholds = {2, -2, std::numeric_limits<double>::quiet_NaN()},
                    .resolution = 100,
                    .seeds = {7, 8, 7}};
  const absl::Status status = ValidatePairs(params);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* fault :
       {"steps is 0; wants 1..1000", "n_samples is 10001; wants 1..10000",
        "max_out_samples is 0; wants 1..1000", "max_p2p is 0.4; wants a finite number in 0.5..1",
        "common_steps is 1.5; wants a finite number in 0..1",
        "whole_common_steps is -0.5; wants a finite number in 0..1", "min_cfg is nan", "max_cfg is inf",
        "clip_threshold is 2", "clip_dir_threshold is -2", "clip_img_threshold is nan",
        "resolution is 100; wants a multiple of 64 in 64..1024", "seeds hold 7 twice"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(fault));
  }
}

TEST(ValidatePairsTest, TooManySeeds) {
  PairParams params;
  for (uint64_t i = 0; i < 10001; ++i) params.seeds.push_back(i);
  EXPECT_THAT(std::string(ValidatePairs(params).message()),
              HasSubstr("seeds are 10001; wants at most 10000"));
  params.seeds.pop_back();
  EXPECT_TRUE(ValidatePairs(params).ok());
}

TEST(ValidatePairPromptTest, TextsAreBoundedUtf8) {
  EXPECT_TRUE(ValidatePairPrompt({"a red circle", "a green circle"}).ok());
  EXPECT_TRUE(ValidatePairPrompt({std::string(4096, 'a'), "\xf0\x9f\x98\x80"}).ok());
  const auto fault = [](const std::string& caption, const std::string& output) {
    return std::string(ValidatePairPrompt({caption, output}).message());
  };
  EXPECT_THAT(fault("", "b"), HasSubstr("caption is missing; wants a text"));
  EXPECT_THAT(fault("a", ""), HasSubstr("output is missing; wants a text"));
  EXPECT_THAT(fault(std::string(4097, 'a'), "b"), HasSubstr("caption is 4097 bytes; wants at most 4096"));
  EXPECT_THAT(fault("a", "\xff"), HasSubstr("output is not UTF-8"));
  EXPECT_THAT(fault(std::string("a\0b", 3), "b"), HasSubstr("caption holds a NUL byte"));
}

}  // namespace
}  // namespace ip2p
