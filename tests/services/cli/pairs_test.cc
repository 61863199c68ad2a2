// `ip2p pairs generate` and `ip2p dataset refilter` with a sampler of hashes for models.
#include <gmock/gmock.h>

#include "common/base/json.h"
#include "tests/fakes/fake_pair_sampler.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Variable;

constexpr TorchVerbs kFakes{
    .create_engine = [](const ModelSource&,
                        const EngineOptions&) -> absl::StatusOr<std::unique_ptr<EditEngine>> {
      return absl::UnimplementedError("no engine in this test");
    },
    .create_sampler = [](const PairModels& models,
                         const PairSamplerOptions& options) -> absl::StatusOr<std::unique_ptr<PairSampler>> {
      if (models.checkpoint == "none") return absl::NotFoundError("no such model");
      return std::make_unique<FakePairSampler>(FakePairSamplerOptions{
          .batch = options.batch == 0 ? 4 : options.batch, .clip = !models.clip.empty()});
    }};

class PairsTest : public testing::CliTest {
 protected:
  PairsTest() {
    torch_ = &kFakes;
    Put("prompts.jsonl",
        "{\"caption\":\"a\",\"edit\":\"e\",\"output\":\"b\"}\n"
        "oops\n"
        "{\"caption\":\"c\",\"edit\":\"e\",\"output\":\"d\"}\n");
  }
  std::vector<std::string> Generate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"pairs",       "generate", "--prompts-file", Path("prompts.jsonl"),
                                     "--out-dir",   Path("d"),  "--ckpt",         "model",
                                     "--clip",      "clip",     "--steps",        "2",
                                     "--n-samples", "10"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
};

TEST_F(PairsTest, MakesADatasetAndTellsWhatItDid) {
  ASSERT_EQ(Run(Generate({"--json", "--clip-img-threshold", "0.3"})), kExitOk) << err_.str();
  const auto report = nlohmann::json::parse(out_.str(), nullptr, false);
  EXPECT_EQ(report["finished"], 2);
  EXPECT_EQ(report["bad_rows"], 1);
  EXPECT_EQ(report["sampled"], 20);
  EXPECT_EQ(report["verdicts"]["passed"], report["passed"]);
  EXPECT_EQ(report["elsewhere"], false);
  EXPECT_TRUE(Exists("d/0000002/scores.jsonl"));
  EXPECT_THAT(err_.str(), HasSubstr("line 2 is left out: the line is no JSON"));
  EXPECT_THAT(err_.str(), HasSubstr("2 prompts are left, 0 are finished; loading the models"));
  EXPECT_THAT(err_.str(), HasSubstr("1 rows are no prompts"));

  ASSERT_EQ(Run(Generate({"--clip-img-threshold", "0.3"})), kExitOk);
  EXPECT_THAT(err_.str(), HasSubstr("0 prompts finished, 2 before, 0 left"));
  EXPECT_THAT(err_.str(), Not(HasSubstr("loading")));
  EXPECT_EQ(Run(Generate({"--clip-img-threshold", "0.4"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("clip_img_threshold 0.3; wants clip_img_threshold 0.4"));
}

TEST_F(PairsTest, ThePartitionIsTheJobsIndex) {
  const Variable index("JOB_COMPLETION_INDEX", "2");
  ASSERT_EQ(Run(Generate({"--n-partitions", "3"})), kExitOk) << err_.str();
  EXPECT_TRUE(Exists("d/0000002"));
  EXPECT_FALSE(Exists("d/0000000"));
  ASSERT_EQ(Run(Generate({"--n-partitions", "3", "--partition", "0"})), kExitOk);
  EXPECT_TRUE(Exists("d/0000000"));
  EXPECT_EQ(Run(Generate({"--n-partitions", "2"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("partition is 2; wants 0..1 of 2"));
  EXPECT_EQ(Run(Generate({"--partition=-1"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("partition is -1; wants 0..0 of 1"));
  const Variable odd("JOB_COMPLETION_INDEX", "two");
  EXPECT_EQ(Run(Generate()), kExitBadInput);
}

TEST_F(PairsTest, SettingsComeFromVariables) {
  const Variable steps("IP2P_MAX_OUT_SAMPLES", "1001");
  EXPECT_EQ(Run(Generate()), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("max_out_samples is 1001; wants 1..1000"));
}

TEST_F(PairsTest, WrongFlagsAreToldBeforeTorchIsStarted) {
  torch_ = nullptr;
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--batch", "0"}, {"--batch", "some"}, {"--precision", "int8"}}) {
    EXPECT_EQ(Run(Generate(wrong)), kExitUsage) << wrong[0] << " " << wrong[1];
  }
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--seeds", "1,x"},
                                                {"--seeds", "1,1"},
                                                {"--resolution", "100"},
                                                {"--min-p2p", "0.95"}}) {
    EXPECT_EQ(Run(Generate(wrong)), kExitBadInput) << wrong[0] << " " << wrong[1];
  }
  EXPECT_THAT(passed_on_, IsEmpty());
  const std::vector<std::string> good = Generate({"--batch", "7"});
  EXPECT_EQ(Run(good), kExitOk);
  EXPECT_EQ(passed_on_, good);
}

TEST_F(PairsTest, WithoutThresholdsNoClip) {
  EXPECT_EQ(Run({"pairs", "generate", "--prompts-file", Path("prompts.jsonl"), "--out-dir", Path("d"),
                 "--ckpt", "m", "--steps", "1", "--n-samples", "3", "--clip-threshold", "0",
                 "--clip-dir-threshold", "0", "--clip-img-threshold", "0", "--json"}),
            kExitOk)
      << err_.str();
  EXPECT_EQ(nlohmann::json::parse(out_.str(), nullptr, false)["kept"], 6);
}

TEST_F(PairsTest, InputsThatAreMissingAreFinal) {
  const std::string prompts = Path("missing");
  EXPECT_EQ(Run({"pairs", "generate", "--prompts-file", prompts, "--out-dir", Path("d"), "--ckpt", "m",
                 "--clip", "c"}),
            kExitBadInput);
  EXPECT_EQ(Run({"pairs", "generate", "--prompts-file", Path("prompts.jsonl"), "--out-dir", Path("d"),
                 "--ckpt", "none", "--clip", "c"}),
            kExitBadInput);
  EXPECT_EQ(Run({"pairs", "generate", "--prompts-file", Path("prompts.jsonl"), "--out-dir", Path("d"),
                 "--ckpt", "m"}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("wants --clip, or all three 0"));
}

TEST_F(PairsTest, ABarOnATerminal) {
  terminal_ = true;
  ASSERT_EQ(Run(Generate()), kExitOk);
  EXPECT_THAT(err_.str(), HasSubstr("\r0/2 prompts  kept 0 of 0  sample 0/10 step 1/2"));
}

TEST_F(PairsTest, RefilterMakesWhatIsMissing) {
  ASSERT_EQ(Run(Generate({"--clip-dir-threshold", "0.9"})), kExitOk);
  ASSERT_EQ(Run({"dataset", "refilter", Path("d"), "--ckpt", "model", "--clip", "clip", "--clip-threshold",
                 "0.1", "--clip-dir-threshold", "0.1", "--clip-img-threshold", "0.1", "--json"}),
            kExitOk)
      << err_.str();
  const auto report = nlohmann::json::parse(out_.str(), nullptr, false);
  EXPECT_EQ(report["prompts"], 2);
  EXPECT_GT(report["rebuilt"], 0);
  EXPECT_EQ(report["kept"], 8);
  EXPECT_EQ(Run({"dataset", "refilter", Path("none"), "--ckpt", "model"}), kExitBadInput);
}

}  // namespace
}  // namespace ip2p
