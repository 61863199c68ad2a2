// Estimates: against work that was counted elsewhere, and how they move with their inputs.
#include "common/plan/cluster_plan.h"

#include <gmock/gmock.h>

#include "common/base/json.h"

namespace ip2p {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ClusterPlan Plan(const PlanInputs& inputs) {
  const auto plan = PlanCluster(inputs);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *plan;
}

// A guided step of an edit (three rows) was counted as 0.54 TFLOP at 256 px and 2.41 at 512.
TEST(ClusterPlan, WorkIsThatOfStableDiffusion) {
  EXPECT_NEAR(3 * UNetTeraflops(256), 0.54, 0.01);
  EXPECT_NEAR(3 * UNetTeraflops(512), 2.41, 0.01);
}

// The paper's own run: 10,000 steps of 1,024 examples took 8 A100s 25.5 hours, which is 204 GPU hours.
TEST(ClusterPlan, ThePapersTrainingIsInReach) {
  EXPECT_NEAR(Plan({.tflops = 100}).train_gpu_hours / 204, 0.15, 0.05)
      << "an estimate of arithmetic alone; the paper's code ran in fp32 and waited for data";
}

TEST(ClusterPlan, FollowsItsInputs) {
  const ClusterPlan plain = Plan({});
  EXPECT_EQ(plain.samples, 45444500);
  EXPECT_EQ(Plan({.tflops = 240}).pair_gpu_hours, plain.pair_gpu_hours / 2);
  EXPECT_EQ(Plan({.usd_per_gpu_hour = 4}).pair_usd, 2 * plain.pair_usd);
  EXPECT_EQ(Plan({.early_stop_share = 0.25}).samples, plain.samples / 4);
  EXPECT_LT(Plan({.resolution = 256}).seconds_per_sample, plain.seconds_per_sample / 4);
  EXPECT_NEAR(plain.pair_gpu_hours / static_cast<double>(plain.partitions), 4, 0.01);
  EXPECT_EQ(Plan({.prompts = 3}).partitions, 1);
  EXPECT_LE(Plan({.prompts = 3, .partition_hours = 0.01}).partitions,
            3);  // a partition has a prompt at least
}

TEST(ClusterPlan, TimeIsInWholePartitions) {
  const ClusterPlan plan = Plan({.prompts = 100, .partition_hours = 0.05});
  ASSERT_EQ(plan.pair_days.size(), 4u);
  EXPECT_NEAR(plan.pair_days[0].days, plan.pair_gpu_hours / 24, 1e-9);
  // More GPUs than partitions: the time of one.
  EXPECT_NEAR(plan.pair_days[3].days, plan.pair_gpu_hours / static_cast<double>(plan.partitions) / 24, 1e-9);
}

TEST(ClusterPlan, BadInputsAreListedTogether) {
  const absl::Status status = PlanCluster({.prompts = 0, .resolution = 100, .tflops = 0}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("prompts is 0; wants 1.."),
                    HasSubstr("resolution is 100; wants a multiple of 64"), HasSubstr("tflops is 0; wants")));
}

TEST(ClusterPlan, TextAndJsonSayTheSame) {
  const PlanInputs inputs;
  const ClusterPlan plan = Plan(inputs);
  const auto json = nlohmann::json::parse(PlanJson(inputs, plan));
  EXPECT_EQ(json["pairs"]["partitions"], plan.partitions);
  EXPECT_EQ(json["inputs"]["prompts"], 454445);
  EXPECT_EQ(json["pairs"]["days_by_gpus"].size(), 4u);
  EXPECT_THAT(PlanText(inputs, plan), AllOf(HasSubstr(std::to_string(plan.partitions) + " partitions"),
                                            HasSubstr("454445 captions"), HasSubstr("days on 1000 GPUs")));
}

}  // namespace
}  // namespace ip2p
