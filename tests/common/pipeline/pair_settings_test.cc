// Parameters to run.json and back.
#include "common/pipeline/pair_settings.h"

#include "gmock/gmock.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PairSettingsTest, RoundTripThroughText) {
  PairParams params{.steps = 7,
                    .n_samples = 8,
                    .max_out_samples = 2,
                    .min_p2p = 0.15,
                    .max_p2p = 0.85,
                    .common_steps = 0.45,
                    .whole_common_steps = 0.35,
                    .min_cfg = 1,
                    .max_cfg = 1.1,
                    .thresholds = {0.21, 0.22, 0.73},
                    .resolution = 64,
                    .seed = UINT64_MAX,
                    .seeds = {11, UINT64_MAX},
                    .early_stop = true,
                    .safety_check = false};
  const RunSettings settings = SettingsOf(params);
  const RunSettings read = RunSettings::parse(settings.dump(), nullptr, false);
  EXPECT_EQ(read, settings);
  const absl::StatusOr<PairParams> back = ParamsOf(read);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(SettingsOf(*back), settings);
  EXPECT_THAT(back->seeds, ElementsAre(11, UINT64_MAX));
}

TEST(PairSettingsTest, WhatIsMissingOrOddIsNamed) {
  RunSettings settings = SettingsOf({});
  settings.erase("max_cfg");
  EXPECT_THAT(std::string(ParamsOf(settings).status().message()), HasSubstr("max_cfg is missing"));
  settings = SettingsOf({});
  settings["steps"] = "many";
  EXPECT_THAT(std::string(ParamsOf(settings).status().message()),
              HasSubstr("steps is missing or of another type"));
  settings["steps"] = int64_t{1} << 40;
  EXPECT_FALSE(ParamsOf(settings).ok());
  settings["steps"] = 0;
  EXPECT_THAT(std::string(ParamsOf(settings).status().message()), HasSubstr("steps is 0; wants 1..1000"));
}

TEST(PairSettingsTest, CommonStepsAreToldWhereThereAreAny) {
  EXPECT_FALSE(SettingsOf({}).contains("common_steps"));
  EXPECT_EQ(ParamsOf(SettingsOf({}))->common_steps, 0);
  RunSettings settings = SettingsOf({});
  settings["common_steps"] = "half";
  EXPECT_THAT(std::string(ParamsOf(settings).status().message()),
              HasSubstr("common_steps of run.json is no number"));
}

TEST(ParseSeedListTest, Lists) {
  EXPECT_THAT(*ParseSeedList(""), IsEmpty());
  EXPECT_THAT(*ParseSeedList("11, 12,18446744073709551615"), ElementsAre(11, 12, UINT64_MAX));
  for (const char* bad : {"x", "1,,2", "-1", "1.5", "18446744073709551616", ","}) {
    EXPECT_EQ(ParseSeedList(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace ip2p
