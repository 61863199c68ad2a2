#include "common/diffusion/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(KindsTest, EverySamplerIsReadBackFromItsName) {
  std::set<std::string> names;
  for (SamplerKind kind : AllSamplers()) {
    names.insert(SamplerName(kind));
    const absl::StatusOr<SamplerKind> parsed = ParseSampler(SamplerName(kind));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, kind);
  }
  EXPECT_EQ(names, (std::set<std::string>{"euler_a", "euler", "heun", "dpm2_a", "dpmpp_2s_a", "dpmpp_2m",
                                          "dpmpp_2m_sde", "ddim", "lms", "unipc"}));
}

TEST(KindsTest, EveryScheduleAndPrecisionIsReadBackFromItsName) {
  for (const char* name : {"default", "karras", "exponential"}) {
    const absl::StatusOr<SigmaSchedule> parsed = ParseSchedule(name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_STREQ(ScheduleName(*parsed), name);
  }
  for (const char* name : {"auto", "fp32", "bf16", "fp16"}) {
    const absl::StatusOr<Precision> parsed = ParsePrecision(name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_STREQ(PrecisionName(*parsed), name);
  }
}

TEST(KindsTest, AnUnknownNameIsRefusedWithTheOnesThereAre) {
  const absl::Status status = ParseSampler("foo").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "sampler is \"foo\"; wants one of euler_a, euler, heun, dpm2_a, dpmpp_2s_a, dpmpp_2m, "
            "dpmpp_2m_sde, ddim, lms, "
            "unipc");
  EXPECT_EQ(ParseSchedule("").status().message(),
            "schedule is \"\"; wants one of default, karras, exponential");
  EXPECT_EQ(ParsePrecision("FP32").status().message(),
            "precision is \"FP32\"; wants one of auto, fp32, bf16, fp16");
}

TEST(KindsTest, AHostileNameComesBackShortAndEscaped) {
  const absl::Status status = ParseSampler("\n\xff" + std::string(100000, 'x')).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("sampler is \"\\n\\xff"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  EXPECT_LT(status.message().size(), 200u);
}

TEST(KindsTest, SecondOrderSamplersEvaluateTwiceAStepButTheLast) {
  for (SamplerKind kind : AllSamplers()) {
    const bool twice =
        kind == SamplerKind::kHeun || kind == SamplerKind::kDpm2A || kind == SamplerKind::kDpmpp2SA;
    EXPECT_EQ(EvaluationsFor(kind, 1), 1);
    EXPECT_EQ(EvaluationsFor(kind, 20), twice ? 39 : 20);
  }
}

}  // namespace
}  // namespace ip2p
