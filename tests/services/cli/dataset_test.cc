// `ip2p dataset`: refilter with and without models, and plots.
#include <gmock/gmock.h>

#include "common/base/json.h"
#include "tests/fakes/fake_pair_sampler.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr TorchVerbs kFakes{
    .create_engine = [](const ModelSource&,
                        const EngineOptions&) -> absl::StatusOr<std::unique_ptr<EditEngine>> {
      return absl::UnimplementedError("no engine in this test");
    },
    .create_sampler = [](const PairModels& models,
                         const PairSamplerOptions&) -> absl::StatusOr<std::unique_ptr<PairSampler>> {
      return std::make_unique<FakePairSampler>(FakePairSamplerOptions{.clip = !models.clip.empty()});
    }};

class DatasetTest : public testing::CliTest {
 protected:
  DatasetTest() {
    torch_ = &kFakes;
    Put("prompts.jsonl",
        "{\"caption\":\"a\",\"edit\":\"e\",\"output\":\"b\"}\n"
        "{\"caption\":\"c\",\"edit\":\"e\",\"output\":\"d\"}\n");
  }
  int Generate(const std::string& direction) {
    return Run({"pairs",
                "generate",
                "--prompts-file",
                Path("prompts.jsonl"),
                "--out-dir",
                Path("d"),
                "--ckpt",
                "model",
                "--clip",
                "clip",
                "--steps",
                "1",
                "--n-samples",
                "20",
                "--clip-threshold",
                "0.1",
                "--clip-img-threshold",
                "0.1",
                "--clip-dir-threshold",
                direction});
  }
  int Refilter(const std::vector<std::string>& more) {
    std::vector<std::string> args = {"dataset", "refilter", Path("d"), "--json"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }
  nlohmann::json Report() const { return nlohmann::json::parse(out_.str(), nullptr, false); }
};

TEST_F(DatasetTest, TighteningNeedsNoModelAndNoTorch) {
  ASSERT_EQ(Generate("0.2"), kExitOk) << err_.str();
  torch_ = nullptr;
  ASSERT_EQ(Refilter({}), kExitOk) << err_.str();  // thresholds that are not given stay
  EXPECT_EQ(Report()["changed"], 0);
  const int64_t before = Report()["kept"];
  ASSERT_EQ(Refilter({"--clip-dir-threshold", "0.95"}), kExitOk) << err_.str();
  EXPECT_GT(Report()["dropped"], 0);
  EXPECT_LT(Report()["kept"], before);
  EXPECT_THAT(passed_on_, IsEmpty());
  const auto run = nlohmann::json::parse(Get("d/run.json"), nullptr, false);
  EXPECT_EQ(run["clip_dir_threshold"], 0.95);
  EXPECT_EQ(run["clip_threshold"], 0.1);
  EXPECT_EQ(run["clip_img_threshold"], 0.1);
}

TEST_F(DatasetTest, TheIndexMayLeaveOutWhatScoresLess) {
  ASSERT_EQ(Generate("0.2"), kExitOk) << err_.str();
  ASSERT_EQ(Run({"dataset", "prepare", Path("d")}), kExitOk) << err_.str();
  const std::string all = Get("d/seeds.json");
  ASSERT_EQ(Run({"dataset", "prepare", Path("d"), "--clip-dir-threshold", "0.95"}), kExitOk) << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr(" pairs below the thresholds are left out\n"));
  const std::string strict = Get("d/seeds.json");
  EXPECT_LT(strict.size(), all.size());
  // As if they had never been kept.
  ASSERT_EQ(Refilter({"--clip-dir-threshold", "0.95"}), kExitOk) << err_.str();
  EXPECT_GT(Report()["dropped"], 0);
  EXPECT_EQ(Get("d/seeds.json"), strict);
  ASSERT_EQ(Run({"dataset", "prepare", Path("d"), "--clip-threshold", "1"}), kExitOk) << err_.str();
  EXPECT_EQ(Get("d/seeds.json"), "[]");
  EXPECT_EQ(Run({"dataset", "prepare", Path("d"), "--clip-threshold", "1.5"}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--clip-threshold: Value 1.5 not in range"));
}

TEST_F(DatasetTest, AModelIsAskedForWhenAPairIsMissing) {
  ASSERT_EQ(Generate("0.95"), kExitOk) << err_.str();
  EXPECT_EQ(Refilter({"--clip-dir-threshold", "0.2"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("no model is named; wants --ckpt"));
  const std::vector<std::string> models = {
      "--clip-dir-threshold", "0.2", "--ckpt", "model", "--clip", "clip"};
  ASSERT_EQ(Refilter(models), kExitOk) << err_.str();
  EXPECT_GT(Report()["rebuilt"], 0);
  torch_ = nullptr;
  EXPECT_EQ(Refilter(models), kExitOk);
  EXPECT_THAT(passed_on_, Not(IsEmpty()));  // with a model named, it may be needed
}

TEST_F(DatasetTest, PlotsBySvgAndPng) {
  ASSERT_EQ(Generate("0.2"), kExitOk);
  ASSERT_EQ(Run({"dataset", "stats", Path("d"), "--plot", Path("scores.svg")}), kExitOk) << err_.str();
  EXPECT_THAT(Get("scores.svg"), StartsWith("<svg "));
  ASSERT_EQ(Run({"dataset", "stats", Path("d"), "--plot", Path("scores.PNG")}), kExitOk) << err_.str();
  EXPECT_THAT(Get("scores.PNG"), StartsWith("\x89PNG"));
  ASSERT_EQ(Run({"dataset", "stats", Path("d"), "--plot", "-"}), kExitOk);
  EXPECT_THAT(out_.str(), StartsWith("<svg "));
  for (const char* const name : {"scores.gif", "scores", "svg"}) {
    EXPECT_EQ(Run({"dataset", "stats", Path("d"), "--plot", Path(name)}), kExitBadInput) << name;
    EXPECT_THAT(err_.str(), HasSubstr("wants a name that ends in .svg or .png"));
    EXPECT_FALSE(Exists(name));
  }
}

}  // namespace
}  // namespace ip2p
