#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/config.h"
#include "services/gateway/dataset_index.h"
#include "services/gateway/prometheus_text.h"
#include "services/gateway/training_files.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

Sample Scored(uint64_t seed, double clip, double dir, double img) {
  return {.seed = seed, .scores = ClipScores{.sim_0 = clip, .sim_1 = clip, .sim_dir = dir, .sim_image = img}};
}

DatasetIndex SmallIndex(size_t most = 100) {
  DatasetIndex index(most);
  PromptRecord first{.folder = "0000000", .pairs = {"1", "2"}};
  first.samples = {Scored(1, 0.3, 0.25, 0.8), Scored(2, 0.3, 0.3, 0.8), Scored(3, 0.3, 0.22, 0.9),
                   Scored(4, 0.1, 0.5, 0.9)};
  index.Add(first);
  PromptRecord second{.folder = "0000001", .pairs = {"7", "8"}};  // 8 has no scores
  second.samples = {Scored(7, 0.3, 0.1, 0.9)};
  index.Add(second);
  return index;
}

TEST(DatasetIndexTest, TellsWhatThresholdsWouldKeep) {
  const DatasetIndex index = SmallIndex();
  EXPECT_EQ(index.pairs(), 4);
  const Selection reference = index.Select(ClipThresholds(), 2);
  EXPECT_EQ(reference.samples, 5);
  EXPECT_EQ(reference.passed, 3);
  EXPECT_EQ(reference.pairs, 2);  // of three that pass, the prompt keeps two
  EXPECT_EQ(reference.prompts_with_pairs, 1);
  EXPECT_EQ(index.Select({.clip = 0.2, .dir = 0.05, .img = 0.7}, 4).prompts_with_pairs, 2);
  EXPECT_EQ(index.Select({.clip = 0.9, .dir = 0.2, .img = 0.7}, 4).passed, 0);
  EXPECT_EQ(reference.scores[2].count(), 5);
}

TEST(DatasetIndexTest, PairsAreFilteredAndOrdered) {
  const DatasetIndex index = SmallIndex();
  const auto seeds = [&index](const ClipThresholds& thresholds, PairOrder order) {
    std::vector<uint64_t> found;
    for (const size_t row : index.Pairs(thresholds, order)) found.push_back(index.row(row).seed);
    return found;
  };
  const ClipThresholds all{.clip = -1, .dir = -1, .img = -1};
  EXPECT_THAT(seeds(all, PairOrder::kDataset), ElementsAre(1, 2, 7, 8));
  EXPECT_THAT(seeds(ClipThresholds(), PairOrder::kBestDirection), ElementsAre(2, 1));
  EXPECT_THAT(seeds({.clip = 0.2, .dir = 0, .img = 0.7}, PairOrder::kWorstDirection), ElementsAre(7, 1, 2));
}

TEST(DatasetIndexTest, MemoryIsBounded) {
  const DatasetIndex index = SmallIndex(3);
  EXPECT_TRUE(index.truncated());
  EXPECT_EQ(index.Select(ClipThresholds(), 4).samples, 3);
}

TEST(PrometheusTextTest, ReadsWhatServicesTell) {
  const auto values = ParseMetrics(
      "# HELP ip2p_a About\n# TYPE ip2p_a counter\nip2p_a{model=\"x y\",code=\"OK\"} 3\nip2p_b 0.5 "
      "1700000000\n"
      "ip2p_c_bucket{le=\"1\"} 4\nip2p_c_sum 7\nip2p_d NaN\nother 1\nip2p_torn",
      "ip2p_");
  EXPECT_THAT(values, ElementsAre(Pair("ip2p_a{model=\"x y\",code=\"OK\"}", 3), Pair("ip2p_b", 0.5),
                                  Pair("ip2p_c_sum", 7)));
}

class TrainingFilesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  TempFolder folder_;
};

TEST_F(TrainingFilesTest, ThinsACurveToMeans) {
  std::string lines = "torn\n";
  for (int step = 1; step <= 100; ++step)
    absl::StrAppend(&lines, "{\"step\":", step, ",\"loss\":", step, ",\"lr\":0.5}\n");
  Write("metrics.jsonl", lines + "{\"step\":101,\"loss\":null}\n{\"step\":1");
  EXPECT_THAT(ReadCurve(folder_.path(), 1000), SizeIs(100));
  const auto thin = ReadCurve(folder_.path(), 10);
  ASSERT_THAT(thin, SizeIs(10));
  EXPECT_EQ(thin[0].step, 10);
  EXPECT_EQ(thin[0].loss, 5.5);
  EXPECT_THAT(ReadCurve(folder_.path() + "/none", 10), IsEmpty());
}

TEST_F(TrainingFilesTest, ALargeCurveIsSampledOverItsWholeLength) {
  std::string lines;
  for (int step = 1; step <= 200'000; ++step)
    absl::StrAppend(&lines, "{\"step\":", step, ",\"loss\":0.25,\"lr\":1}\n");
  Write("metrics.jsonl", lines);
  const auto curve = ReadCurve(folder_.path(), 50);
  ASSERT_THAT(curve, SizeIs(50));
  EXPECT_LT(curve.front().step, 10);
  EXPECT_GT(curve.back().step, 190'000);
}

TEST_F(TrainingFilesTest, ListsValidationsNewestFirstAndReadsOnlyImages) {
  Write("validation/step-000000010/000-edit.png", "png");
  Write("validation/step-000000010/000-input.png", "png");
  Write("validation/step-000000010/secret.txt", "no");
  Write("validation/step-000000010/metrics.json", "{\"loss\": 0.5}");
  Write("validation/step-000000020/metrics.json", "{");
  const auto found = ListValidations(folder_.path(), 5);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].step, 20);
  EXPECT_TRUE(found[0].metrics.is_null());
  EXPECT_THAT(found[1].images, ElementsAre("000-edit.png", "000-input.png"));
  EXPECT_EQ(*ReadValidationImage(folder_.path(), 10, "000-edit.png"), "png");
  for (const char* name : {"secret.txt", "../../metrics.jsonl", "000-../x.png", "000-.png", ""}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadValidationImage(folder_.path(), 10, name).status())) << name;
  }
  EXPECT_TRUE(absl::IsNotFound(ReadValidationImage(folder_.path(), 11, "000-edit.png").status()));
}

TEST(ConfigTest, FaultsAreListedTogether) {
  const auto config = LoadGatewayConfig({"--threads", "4", "--max-streams", "9", "--upstream-tls-key-file",
                                         "k", "--log-level", "loud", "--datasets-dir", "s3://No Bucket/sets"},
                                        [](const char*) -> const char* { return nullptr; });
  const std::string message(config.status().message());
  EXPECT_THAT(message, HasSubstr("max_streams is 9; wants less than threads (4)"));
  EXPECT_THAT(message, HasSubstr("wants both upstream_tls_cert_file"));
  EXPECT_THAT(message, HasSubstr("log_level is \"loud\""));
  EXPECT_THAT(message, HasSubstr("datasets_dir: the bucket of \"s3://No Bucket/sets\" is \"No Bucket\""));
}

TEST(ConfigTest, LoopbackIsTheDefaultAndGuardsItsNames) {
  const auto none = [](const char*) -> const char* { return nullptr; };
  const auto config = LoadGatewayConfig({}, none);
  ASSERT_TRUE(config.ok() && config->has_value());
  EXPECT_EQ((*config)->listen, "127.0.0.1:8080");
  EXPECT_THAT((*config)->allowed_hosts, SizeIs(3));
  EXPECT_THAT((**LoadGatewayConfig({"--listen", "0.0.0.0:80"}, none)).allowed_hosts, IsEmpty());
}

}  // namespace
}  // namespace ip2p::gateway
